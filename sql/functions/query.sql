-- The query's text, read: words to look for, and what else is asked of a passage or its document.
--
--     "dry running"          a phrase that has to stand in the passage, in its words' stems
--     -seal  -"shaft seal"   what must not stand there
--     path:policies/  format:pdf  source:handbook  title:"Price list"     and  -path:drafts/
--
-- path: is a document's path, or a folder above it; title: stands anywhere in the title; * stands
-- for any characters. Of several values of one field, one has to hold.
--
-- Only what cannot be mistaken is read so. Everything else is words, as it is written:
-- - in a query that is a sentence (it ends in . ? or !) quotes and hyphens are words': who asks about
--   the song "The Four Seasons" wants what is known of it, not the phrase;
-- - -term has three characters or more, a letter first, and stands before or behind all words:
--   git commit -m "fix: x", find . -name x, a-b and -5 are words;
-- - a field's value is right behind the colon: title: x, std::vector and source://x are words.
-- With a backslash before it, anything is words.

create or replace function openbook.read_query(
    query text,
    out words text, out required text[], out excluded text[], out filter jsonb)
language sql immutable
set search_path = openbook, pg_temp
as $$
    with token as (
        select t.place, t.match[1] as text,
               parts[1] = '-' as negative, parts[2] as field, coalesce(parts[3], parts[4]) as value,
               case when parts[2] is not null then 'field'
                    when query ~ '[.?!…]["''”’)]*\s*$' then 'word'
                    when parts[3] ~ '\w' then 'phrase'
                    when parts[1] = '-' and parts[4] ~ '^[[:alpha:]]\S+\w$' then 'term'
                    else 'word' end as kind
        from regexp_matches(query, '-?(?:[a-z]+:)?"[^"]+"(?!\S)|\S+', 'g')
            with ordinality t (match, place)
        cross join regexp_match(
            t.match[1],
            '^(-?)(?:(path|source|format|title):(?!:|//))?(?:"([^"]+)"|(.+))$') parts
    ), role as (
        select t.*,
               case when kind = 'term'
                         and (place between min(place) filter (where kind = 'word') over ()
                                        and max(place) filter (where kind = 'word') over ()
                              or not bool_or(kind = 'word' or kind = 'phrase' and not negative) over ())
                    then 'word' else kind end as role
        from token t
    )
    select case when bool_or(role <> 'word')
                then coalesce(string_agg(case role when 'word' then text else value end, ' '
                                         order by place)
                              filter (where role = 'word' or role = 'phrase' and not negative), '')
                else query end,
           array_agg(value) filter (where role = 'phrase' and not negative),
           array_agg(value) filter (where role in ('phrase', 'term') and negative),
           (select jsonb_build_object('and', jsonb_agg(f.filter))
            from (
                select case when negative then jsonb_build_object('not', one) else one end as filter
                from (
                    select negative,
                           case count(*)
                               when 1 then jsonb_agg(openbook.field_filter(field, value)) -> 0
                               else jsonb_build_object(
                                   'or', jsonb_agg(openbook.field_filter(field, value))) end as one
                    from role
                    where role = 'field'
                    group by field, negative) o) f
            having count(*) > 0)
    from role;
$$;
comment on function openbook.read_query is 'What a query''s text asks for: the words that both lists look for (the text itself, if nothing else is asked), phrases that are required, phrases and terms that are excluded, and its fields as a filter; null where there are none.';

create or replace function openbook.field_filter(field text, value text) returns jsonb
language sql immutable
as $$
    select case
        when value like '%*%' then
            jsonb_build_object(field, jsonb_build_object(
                'like', replace(regexp_replace(value, '([\\%_])', '\\\1', 'g'), '*', '%')))
        when field = 'title' then
            jsonb_build_object(field, jsonb_build_object(
                'ilike', '%' || regexp_replace(value, '([\\%_])', '\\\1', 'g') || '%'))
        when field = 'path' then
            jsonb_build_object('or', jsonb_build_array(
                jsonb_build_object(field, value),
                jsonb_build_object(field, jsonb_build_object('prefix', rtrim(value, '/') || '/'))))
        when field = 'format' then jsonb_build_object(field, lower(value))
        else jsonb_build_object(field, value) end;
$$;
comment on function openbook.field_filter is 'What a field of a query''s text asks of the document, as a filter.';

create or replace function openbook.standing(language regconfig, text text) returns tsquery
language sql immutable
set search_path = openbook, public, pg_temp
as $$
    select (
        select string_agg(
            case when place > 1 then format('<%s>', position - before) else '' end
            || format('(%s)', either), '' order by place)::tsquery
        from (
            select w.position, row_number() over (order by w.position) as place,
                   lag(w.position) over (order by w.position) as before,
                   string_agg(openbook.lexeme_query(w.lexeme)::text, '|') as either
            from (
                select u.lexeme, unnest(u.positions) as position
                from unnest(openbook.words(language, text)) u) w
            group by w.position) placed)
        && coalesce((
            select string_agg(openbook.lexeme_query(u.lexeme)::text, '&')::tsquery
            from unnest(openbook.identifiers(text)) u), '');
$$;
comment on function openbook.standing is 'What openbook.lexemes() of a text match in which this phrase stands, its identifiers as written; null for a phrase of stop words.';

create or replace function openbook.requirements(
    collection bigint, required text[], excluded text[], inout binds jsonb[], out condition text)
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    stems  jsonb;
    plain  jsonb;
begin
    -- A phrase of stop words has no lexemes: it is looked for in the text as it is.
    select jsonb_object_agg(a.language::oid, a.stems) filter (where a.stems is not null),
           jsonb_object_agg(a.language::oid, a.plain) filter (where a.plain is not null)
    into stems, plain
    from (
        select spoken.language,
               string_agg(t.sign || '(' || openbook.standing(spoken.language, t.text)::text || ')',
                          '&') as stems,
               string_agg(t.sign || '(' || openbook.standing('simple', t.text)::text || ')', '&')
                   filter (where openbook.standing(spoken.language, t.text) is null) as plain
        from (select distinct s.language from sources s where s.collection_id = collection) spoken
        cross join (
            select '', unnest(required) union all select '!', unnest(excluded)) t (sign, text)
        group by spoken.language) a;

    binds := binds || array[stems, plain];
    condition := format(
        '(select (w.lexemes @@ ($1[%s] ->> w.language::oid::text)::tsquery) is not false
                 and %s
          from openbook.passages w where w.id = c.passage_id)',
        cardinality(binds) - 1,
        case when plain is null then 'true' else format(
            '(openbook.words(''simple'', concat_ws('' '', w.title, w.section, w.body))
              @@ ($1[%s] ->> w.language::oid::text)::tsquery) is not false',
            cardinality(binds)) end);
end
$$;
comment on function openbook.requirements is 'What a query requires of passages and excludes, as a condition on a chunk c, whose values are those of $1, the binds.';

create or replace function openbook.holders(collection bigint, phrases text[]) returns bigint[]
language sql stable
set search_path = openbook, public, pg_temp
as $$
    with spoken as materialized (
        select s.language, array(
                   select distinct u.lexeme
                   from unnest(phrases) phrase, unnest(openbook.lexemes(s.language, phrase)) u
               ) as lexemes
        from sources s
        where s.collection_id = collection
        group by s.language
    ), block as (
        select b.id, (bit_and(binary_quantize(p.weights::vector)) & b.live)::text as bits
        from spoken
        join bm25_postings p on p.collection_id = collection and p.lexeme = any (spoken.lexemes)
        join bm25_blocks b on b.id = p.block_id
        group by spoken.lexemes, b.id, b.live
        having count(*) = cardinality(spoken.lexemes)
    ), holder as (
        select s.passage_id
        from block
        cross join lateral (
            select (sum(octet_length(zeros) + 1) over (order by n))::integer as slot
            from string_to_table(block.bits, '1') with ordinality z (zeros, n)) z
        join bm25_slots s on s.block_id = block.id and s.slot = z.slot
        union
        select q.passage_id from bm25_pending q where q.collection_id = collection
    )
    select case when (select min(cardinality(lexemes)) from spoken) > 0
                then array(select passage_id from holder) end;
$$;
comment on function openbook.holders is 'The passages that may have all of these phrases: those in use that have all of their words, and those that are not sealed; null if in some language the phrases are stop words alone.';

create or replace function openbook.conditions(
    collection bigint, filters jsonb[], required text[], excluded text[],
    out condition text, out binds jsonb[])
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    filter  jsonb;
    part    record;
    parts   text[] := '{}';
begin
    binds := '{}';
    foreach filter in array filters loop
        continue when filter = '{}' or filter is null;
        part := openbook.filter_condition(filter, 0, binds);
        binds := part.binds;
        parts := parts || part.condition;
    end loop;
    if required is not null or excluded is not null then
        part := openbook.requirements(collection, required, excluded, binds);
        binds := part.binds;
        parts := parts || part.condition;
    end if;
    condition := nullif(array_to_string(parts, ' and '), '');
end
$$;
comment on function openbook.conditions is 'All that a search asks of chunks and their documents, as one condition with its binds; null if it asks for nothing.';
