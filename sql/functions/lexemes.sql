-- The analyser: what keyword search sees of a text, the same for passages and for queries.
--
-- Postgres' parser knows numbers with signs, hosts, paths and hyphenated words, and makes of each
-- something else than the words in it. It is given plain words instead, to stem and to stop:
-- joined words come apart, as does writeBoolean. What was joined is a lexeme of its own besides, as
-- written (pg_stat_activity, hnsw.ef_search, 12-345/a, writeboolean), unless it is hyphenated prose.

create or replace function openbook.words(language regconfig, text text) returns tsvector
language sql immutable strict parallel safe
return to_tsvector(
    language,
    regexp_replace(
        regexp_replace(text, '([[:lower:]])([[:upper:]])', '\1 \2', 'g'),
        '[-&</.:@+_~]+', ' ', 'g'));
comment on function openbook.words is 'The stems of a text''s words at their positions, stop words left out.';

create or replace function openbook.identifiers(text text) returns tsvector
language sql immutable strict parallel safe
return coalesce((
    select string_agg(
        format('''%s'':%s', lower(replace(run.parts[1], ',', '')), run.place), ' ')::tsvector
    from regexp_matches(
        text, '\w+(?:[-./:@]\w+|,\d{3}\M)+|\w*[[:lower:]][[:upper:]]\w*|\w+_\w+', 'g')
        with ordinality as run (parts, place)
    where run.parts[1] ~ '[0-9_.]|[[:lower:]][[:upper:]]'
      and length(run.parts[1]) < 256), '');
comment on function openbook.identifiers is 'A text''s joined words as they are written, in lower case and without the commas of thousands.';

create or replace function openbook.lexemes(language regconfig, text text) returns tsvector
language sql immutable strict parallel safe
return openbook.words(language, text) || openbook.identifiers(text);
comment on function openbook.lexemes is 'What keyword search matches of a text: the stems of its words, and its identifiers as written.';
