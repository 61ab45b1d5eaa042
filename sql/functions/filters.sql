-- Filters: JSON from applications to conditions in SQL. Only what is written in this file becomes
-- SQL: every name and value of a filter is bound, and stands in the condition as $1[number].
--
--     {"author": "Ann"}                                     equal
--     {"year": {"gte": 2020, "lt": 2024}}                   both
--     {"path": {"prefix": "reports/"}, "tag": {"in": ["a", "b"]}}
--     {"or": [{"format": "pdf"}, {"not": {"draft": true}}]}
--
-- path, source, format and title are the document's own, and so are two dates: modified, the file's,
-- and published, since when readers see what it says. Any other name is a key of its metadata.
-- Where the metadata has a list, each of its elements is equal. null is equal to what is missing.
-- Numbers compare with numbers and texts with texts; a document with another type does not match.
-- A condition is never null, so that `not` and `ne` match exactly what the rest does not.

create or replace function openbook.reject_filter(message text, hint text) returns void
language plpgsql immutable
as $$
begin
    raise exception 'filter: %', message using errcode = 'invalid_parameter_value', hint = hint;
end
$$;
comment on function openbook.reject_filter is 'Raise the error that says what is wrong with a filter, and how to write it.';

create or replace function openbook.filter_condition(
    filter jsonb, depth integer, inout binds jsonb[], out condition text)
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    name   text;
    value  jsonb;
    part   record;
    parts  text[] := '{}';
begin
    if jsonb_typeof(filter) is distinct from 'object' then
        perform openbook.reject_filter(
            format('%s is not an object', coalesce(left(filter::text, 60), 'null')),
            'Write {"name": value} or {"name": {"operator": value}}.');
    elsif depth > 48 then
        perform openbook.reject_filter('it is nested too deep', 'Nest and, or, not up to 48 deep.');
    end if;
    for name, value in select * from jsonb_each(filter) loop
        if name in ('and', 'or') then
            part := openbook.filter_list(name, value, depth + 1, binds);
        elsif name = 'not' then
            part := openbook.filter_condition(value, depth + 1, binds);
            part.condition := 'not ' || part.condition;
        elsif jsonb_typeof(value) = 'object' then
            part := openbook.filter_field(name, value, binds);
        else
            part := openbook.filter_field(name, jsonb_build_object('eq', value), binds);
        end if;
        binds := part.binds;
        parts := parts || part.condition;
    end loop;
    condition := format('(%s)', coalesce(nullif(array_to_string(parts, ' and '), ''), 'true'));
end
$$;
comment on function openbook.filter_condition is 'The filter as a condition on documents d, contents n and sources s, whose values are those of $1, the binds.';

create or replace function openbook.filter_list(
    junction text, list jsonb, depth integer, inout binds jsonb[], out condition text)
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    filter  jsonb;
    part    record;
    parts   text[] := '{}';
begin
    if jsonb_typeof(list) <> 'array' or jsonb_array_length(list) = 0 then
        perform openbook.reject_filter(
            format('"%s" has no list of filters', junction),
            format('Write {"%s": [{"name": value}, …]}.', junction));
    end if;
    for filter in select * from jsonb_array_elements(list) loop
        part := openbook.filter_condition(filter, depth, binds);
        binds := part.binds;
        parts := parts || part.condition;
    end loop;
    condition := format(
        '(%s)', array_to_string(parts, case junction when 'and' then ' and ' else ' or ' end));
end
$$;
comment on function openbook.filter_list is 'All of the filters, or one of them.';

create or replace function openbook.filter_field(
    name text, operators jsonb, inout binds jsonb[], out condition text)
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    operator  text;
    value     jsonb;
    element   jsonb;
    part      record;
    either    text[];
    parts     text[] := '{}';
begin
    for operator, value in select * from jsonb_each(operators) loop
        if operator not in ('in', 'nin') then
            value := jsonb_build_array(value);
        elsif jsonb_typeof(value) <> 'array' then
            perform openbook.reject_filter(
                format('"%s" of "%s" has no list', operator, left(name, 60)),
                format('Write {"name": {"%s": [value, …]}}.', operator));
        end if;
        either := array['false'];
        for element in select * from jsonb_array_elements(value) loop
            part := openbook.filter_comparison(
                name, case when operator in ('ne', 'in', 'nin') then 'eq' else operator end,
                element, binds);
            binds := part.binds;
            either := either || part.condition;
        end loop;
        parts := parts || format(
            '%s(%s)', case when operator in ('ne', 'nin') then 'not ' end,
            array_to_string(either, ' or '));
        if cardinality(binds) > 4000 then
            perform openbook.reject_filter('it is too long', 'Compare with up to 1000 values.');
        end if;
    end loop;
    condition := format('(%s)', coalesce(nullif(array_to_string(parts, ' and '), ''), 'true'));
end
$$;
comment on function openbook.filter_field is 'What all the operators on one name ask for.';

create or replace function openbook.filter_comparison(
    name text, operator text, value jsonb, inout binds jsonb[], out condition text)
language plpgsql stable
set search_path = openbook, pg_temp
set timezone = 'UTC'
as $$
declare
    kind     text := jsonb_typeof(value);
    sign     text := case operator
        when 'gt' then '>' when 'gte' then '>=' when 'lt' then '<' when 'lte' then '<=' end;
    own      text := case name
        when 'path' then 'd.path' when 'source' then 's.name'
        when 'format' then 'n.format' when 'title' then 'n.title'
        when 'modified' then 'to_timestamp(d.mtime_ns / 1e9)' when 'published' then 'v.valid_from' end;
    dated    constant boolean := name in ('modified', 'published');
    typed    constant text := 'case jsonb_typeof(%s) when %L then %s else false end';
    first    integer := cardinality(binds) + 1;
    given    text := format('($1[%s] #>> ''{}'')', first);
    "json"   text := coalesce(
        'to_jsonb(' || own || ')', format('(n.metadata -> ($1[%s] #>> ''{}''))', first + 1));
    "text"   text := coalesce(own, "json" || ' #>> ''{}''');
begin
    if operator not in ('eq', 'gt', 'gte', 'lt', 'lte', 'prefix', 'like', 'ilike', 'exists') then
        perform openbook.reject_filter(
            format('"%s" of "%s" is no operator', left(operator, 60), left(name, 60)),
            'Operators are eq, ne, in, nin, gt, gte, lt, lte, prefix, like, ilike and exists.');
    end if;
    if dated and kind = 'string' then
        value := openbook.filter_date(name, value);
    end if;
    condition := case
        when dated and kind = 'string' then
            case when operator = 'eq' or sign is not null then format(
                'coalesce(%s %s %s::timestamptz, false)', own, coalesce(sign, '='), given) end
        when operator = 'eq' and kind = 'null'
            then format('coalesce(%s, ''null'') = ''null''', "json")
        when operator = 'eq' and own is not null and kind = 'string'
            then format('%1$s is not null and %1$s = %2$s', own, given)
        when operator = 'eq' and own is null and kind in ('string', 'number', 'boolean')
            then format('n.metadata @> $1[%s] or n.metadata @> $1[%s]', first + 2, first + 3)
        when operator = 'exists' and kind = 'boolean'
            then format('(coalesce(%s, ''null'') <> ''null'') = $1[%s]::boolean', "json", first)
        when sign is not null and kind = 'string'
            then format(typed, "json", 'string', format('(%s) collate "C" %s %s', "text", sign, given))
        when sign is not null and own is null and kind = 'number'
            then format(typed, "json", 'number',
                        format('(%s)::numeric %s $1[%s]::numeric', "json", sign, first))
        when operator = 'prefix' and kind = 'string'
            then format(typed, "json", 'string', format('starts_with(%s, %s)', "text", given))
        when operator in ('like', 'ilike') and value #>> '{}' ~ '^([^\\]|\\.)*$' and kind = 'string'
            then format(typed, "json", 'string', format('%s %s %s', "text", operator, given)) end;
    if condition is null then
        perform openbook.reject_filter(
            format('"%s" of "%s" cannot be %s',
                   left(operator, 60), left(name, 60), left(value::text, 60)),
            'eq, ne, in, nin take texts, numbers, true, false, null (path, source, format, title, '
            || 'modified, published: texts, null); gt, gte, lt, lte a text or a number; prefix a text; '
            || 'like and ilike a pattern that does not end in \; exists true or false.');
    end if;
    condition := format('(%s)', condition);
    binds := binds || array[
        value, to_jsonb(name),
        jsonb_build_object(name, value), jsonb_build_object(name, jsonb_build_array(value))];
end
$$;
comment on function openbook.filter_comparison is 'One comparison. It binds the value, the name, and an object that holds the value under the name, plain and in a list.';

create or replace function openbook.filter_date(name text, value jsonb) returns jsonb
language plpgsql stable
set search_path = openbook, pg_temp
set timezone = 'UTC'
as $$
begin
    return to_jsonb((value #>> '{}')::timestamptz);
exception
    when data_exception then
        perform openbook.reject_filter(
            format('"%s" of "%s" is no date', left(value #>> '{}', 60), name),
            'Write 2026-11-21, 2026-11-21 08:30 or 2026-11-21T08:30+01:00; UTC without a zone.');
end
$$;
comment on function openbook.filter_date is 'The moment that a text names, in UTC if it does not say otherwise.';
