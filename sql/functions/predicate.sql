-- Predicates: what an analyst writes behind `where`, read into the tree that filters.sql compiles.
--
--     format = 'pdf' and year >= 2024 and path like 'policies/%'
--     (author in ('Ann', 'Bob') or "Document type" is null) and not draft = true
--     modified >= '2026-01-01' and year not between 2010 and 2019
--
-- It is parsed here, by recursive descent, and never handed to Postgres: what is not in the grammar
-- below is refused with its place. Names are those of filters; an unquoted one is lower case. What is
-- missing is equal to no value, so that <> and `not in` match it, as they do not in a table.
--
--     any         all { or all }
--     all         one { and one }
--     one         not one | ( any ) | name comparison
--     comparison  = <> != < <= > >= value | [not] in ( value, … ) | [not] like 'text'
--                 | [not] ilike 'text' | [not] between value and value | is [not] null
--     value       'text' | number | true | false

create or replace function openbook.predicate_filter(predicate text) returns jsonb
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
declare
    tokens  jsonb;
    place   integer := 0;
    filter  jsonb;
begin
    if predicate is null or predicate !~ '\S' then
        return '{}';
    elsif length(predicate) > 10000 then
        perform openbook.refuse_predicate('[]', 0, 'it is too long', 'Write up to 10,000 characters.');
    end if;
    tokens := openbook.predicate_tokens(predicate);
    select a.filter, a.place into filter, place from openbook.predicate_list(tokens, 'or', place, 0) a;
    if place < jsonb_array_length(tokens) then
        perform openbook.refuse_predicate(
            tokens, place, 'cannot stand there', 'Join conditions by and, or; there is nothing else.');
    end if;
    return filter;
end
$$;
comment on function openbook.predicate_filter is 'A predicate as a filter: see openbook.filter_condition().';

create or replace function openbook.refuse_predicate(
    tokens jsonb, place integer, message text, hint text)
returns void
language plpgsql immutable
as $$
declare
    token jsonb := tokens -> place;
begin
    raise exception 'predicate: %', case
        when token is not null then format(
            'at character %s, %s %s', token ->> 'at', left(token ->> 'text', 60), message)
        when tokens = '[]' then message
        else 'at its end, something is wanting' end
        using errcode = 'invalid_parameter_value', hint = hint;
end
$$;
comment on function openbook.refuse_predicate is 'Raise the error that says what is wrong with a predicate, where, and what may stand there.';

create or replace function openbook.predicate_tokens(predicate text) returns jsonb
language sql immutable
set search_path = openbook, pg_temp
as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'at', at,
        'text', text,
        'kind', case when text ~ '^''.*''$' and length(text) > 1 then 'text'
                     when text ~ '^".+"$' then 'name'
                     when text ~ '^[-+]?\d' then 'number'
                     when lower(text) in ('and', 'or', 'not', 'in', 'like', 'ilike', 'between', 'is',
                                          'null', 'true', 'false') then lower(text)
                     when text ~ '^[[:alpha:]_]' then 'name'
                     else text end,
        'value', case when text ~ '^''.*''$' then replace(substr(text, 2, length(text) - 2), '''''', '''')
                      when text ~ '^".+"$' then replace(substr(text, 2, length(text) - 2), '""', '"')
                      else lower(text) end
    ) order by place), '[]')
    from (
        select parts[1] as text, place,
               sum(length(parts[1])) over (order by place) - length(parts[1]) + 1 as at
        from regexp_matches(
            predicate,
            '\s+|''(?:[^'']|'''')*''|"(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_]*'
            || '|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,2})?|<=|>=|<>|!=|.', 'g')
            with ordinality t (parts, place)) t
    where text ~ '\S';
$$;
comment on function openbook.predicate_tokens is 'A predicate''s words, numbers and marks: what each is, as it is written and meant, and at which character it begins.';

create or replace function openbook.predicate_list(
    tokens jsonb, junction text, inout place integer, depth integer, out filter jsonb)
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
declare
    part   record;
    parts  jsonb := '[]';
begin
    loop
        if junction = 'or' then
            part := openbook.predicate_list(tokens, 'and', place, depth);
        else
            part := openbook.predicate_one(tokens, place, depth);
        end if;
        parts := parts || part.filter;
        place := part.place;
        exit when tokens -> place ->> 'kind' is distinct from junction;
        place := place + 1;
    end loop;
    filter := case jsonb_array_length(parts) when 1 then parts -> 0
                   else jsonb_build_object(junction, parts) end;
end
$$;
comment on function openbook.predicate_list is 'What stands from the place on as a filter, joined by or (the grammar''s any) or by and (its all), and the place behind it.';

create or replace function openbook.predicate_one(
    tokens jsonb, inout place integer, depth integer, out filter jsonb)
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
declare
    kind  constant text := tokens -> place ->> 'kind';
begin
    if depth > 15 then
        perform openbook.refuse_predicate(
            tokens, place, 'is nested too deep', 'Nest parentheses and not up to 15 deep.');
    elsif kind = 'not' then
        select jsonb_build_object('not', n.filter), n.place into filter, place
        from openbook.predicate_one(tokens, place + 1, depth + 1) n;
    elsif kind = '(' then
        select a.filter, a.place into filter, place
        from openbook.predicate_list(tokens, 'or', place + 1, depth + 1) a;
        place := openbook.predicate_expect(tokens, place, ')');
    elsif kind = 'name' then
        if tokens -> place ->> 'value' in ('and', 'or', 'not') then
            perform openbook.refuse_predicate(
                tokens, place, 'cannot be a field', 'No filter can name a key and, or, not.');
        end if;
        select c.filter, c.place into filter, place
        from openbook.predicate_comparison(tokens, place) c;
    else
        perform openbook.refuse_predicate(
            tokens, place, 'is no field',
            'A condition begins with a field, such as format; in " " unless it is letters, digits and _.');
    end if;
end
$$;
comment on function openbook.predicate_one is 'One condition from the place on as a filter: a comparison, one behind not, or any in parentheses; and the place behind it.';

create or replace function openbook.predicate_comparison(
    tokens jsonb, inout place integer, out filter jsonb)
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
declare
    signs    constant jsonb := '{"=": "eq", "<>": "ne", "!=": "ne", "<": "lt", "<=": "lte", ">": "gt",
                                 ">=": "gte"}';
    name     constant text := tokens -> place ->> 'value';
    negated  constant boolean := tokens -> (place + 1) ->> 'kind' = 'not';
    kind     text;
    test     jsonb;
    list     jsonb := '[]';
begin
    place := place + case when negated then 2 else 1 end;
    kind := tokens -> place ->> 'kind';
    place := place + 1;
    if signs ? kind and not negated then
        test := jsonb_build_object(signs ->> kind, openbook.predicate_value(tokens, place));
        place := place + 1;
    elsif kind = 'is' and not negated then
        test := '{"eq": null}';
        if tokens -> place ->> 'kind' = 'not' then
            test := '{"exists": true}';
            place := place + 1;
        end if;
        place := openbook.predicate_expect(tokens, place, 'null');
    elsif kind in ('like', 'ilike') then
        test := jsonb_build_object(kind, openbook.predicate_value(tokens, place));
        place := place + 1;
    elsif kind = 'between' then
        test := jsonb_build_object('gte', openbook.predicate_value(tokens, place));
        place := openbook.predicate_expect(tokens, place + 1, 'and');
        test := test || jsonb_build_object('lte', openbook.predicate_value(tokens, place));
        place := place + 1;
    elsif kind = 'in' then
        place := openbook.predicate_expect(tokens, place, '(') - 1;
        loop
            list := list || openbook.predicate_value(tokens, place + 1);
            place := place + 2;
            exit when tokens -> place ->> 'kind' is distinct from ',';
        end loop;
        place := openbook.predicate_expect(tokens, place, ')');
        test := jsonb_build_object('in', list);
    else
        perform openbook.refuse_predicate(
            tokens, place - 1, 'is no comparison',
            'Behind a field stands one of = <> != < <= > >=, in, like, ilike, between, is null, or '
            || 'not and one of the words.');
    end if;
    filter := jsonb_build_object(name, test);
    if negated then
        filter := jsonb_build_object('not', filter);
    end if;
end
$$;
comment on function openbook.predicate_comparison is 'The comparison that begins with the name at the place, as a filter, and the place behind it.';

create or replace function openbook.predicate_value(tokens jsonb, place integer) returns jsonb
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
declare
    token jsonb := tokens -> place;
begin
    case token ->> 'kind'
        when 'text' then return token -> 'value';
        when 'number' then return to_jsonb((token ->> 'value')::numeric);
        when 'true', 'false' then return to_jsonb((token ->> 'value')::boolean);
        else
            perform openbook.refuse_predicate(
                tokens, place, 'is no value',
                'A value is a text in '' '', a number, true or false; missing ones: is null.');
    end case;
end
$$;
comment on function openbook.predicate_value is 'The value at the place, as JSON.';

create or replace function openbook.predicate_expect(tokens jsonb, place integer, kind text)
returns integer
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
begin
    if tokens -> place ->> 'kind' is distinct from kind then
        perform openbook.refuse_predicate(
            tokens, place, 'cannot stand there', format('There has to be %s.', kind));
    end if;
    return place + 1;
end
$$;
comment on function openbook.predicate_expect is 'The place behind a word or mark that has to stand here.';
