-- Datasets: which split a group is in, and what happens to versions when a conversation is deleted.

create or replace function openbook.split_of(
    split_key text, split_group text, validation double precision, test double precision)
returns text
language sql immutable parallel safe
set search_path = openbook, public, pg_temp
as $$
    select case
        when place < test then 'test'
        when place < test + validation then 'validation'
        else 'train' end
    from (
        select ('x' || left(encode(sha256(convert_to(split_key || chr(31) || split_group, 'UTF8')), 'hex'), 8))
            ::bit(32)::bigint / 4294967296.0::double precision as place) h;
$$;
comment on function openbook.split_of is 'The split of a group: a keyed hash of its name, so that it never changes while the key and the shares stay.';

create or replace function openbook.keep_first_group() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    new.first_group := coalesce(
        old.first_group, old.user_pseudonym, old.external_id, encode(old.identity_hash, 'hex'), old.id::text);
    return new;
end
$$;
comment on function openbook.keep_first_group is 'Trigger: a conversation whose user or name changes says by what its split was drawn before.';

create or replace trigger keep_first_group
before update of user_pseudonym, external_id, identity_hash on openbook.conversations
for each row when (
    coalesce(old.user_pseudonym, old.external_id, encode(old.identity_hash, 'hex'))
    is distinct from coalesce(new.user_pseudonym, new.external_id, encode(new.identity_hash, 'hex')))
execute function openbook.keep_first_group();

create or replace function openbook.remove_examples(example_ids bigint[]) returns void
language sql volatile
set search_path = openbook, public, pg_temp
as $$
    with removed as (
        delete from dataset_examples d where d.example_id = any (example_ids) returning d.version_id
    ), counted as (
        select removed.version_id, count(*) as examples from removed group by 1
    ), marked as (
        update dataset_versions v
        set tainted_at = coalesce(v.tainted_at, now()),
            forgotten_examples = v.forgotten_examples + counted.examples
        from counted
        where v.id = counted.version_id
    )
    update dataset_exports x
    set stale_at = coalesce(x.stale_at, now())
    where x.version_id in (select counted.version_id from counted);

    delete from examples e where e.id = any (example_ids);
$$;
comment on function openbook.remove_examples is 'Take examples out of every version and delete them; versions that held them are marked as tainted, and their exported files as stale.';

create or replace function openbook.forget_examples() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    lost  bigint[];
begin
    -- A version that is being made or exported holds this lock shared: it is finished first, and
    -- then found.
    perform pg_advisory_xact_lock(hashtext('openbook.datasets'));
    with asked as (
        delete from golden_origins o
        where o.conversation_id in (select gone.id from gone)
        returning o.sha256
    )
    select array_agg(found.id) into lost
    from (
        select e.id from examples e where e.conversation_id in (select gone.id from gone)
        union
        select e.id from examples e where e.rejected_id in (select gone.id from gone)
        union
        select e.id
        from examples e
        join asked on asked.sha256 = e.sha256
        where e.conversation_id is null and e.recipe like 'golden-%') found;
    perform openbook.remove_examples(lost);

    delete from dataset_exclusions x
    where x.conversation_id in (select gone.id from gone);
    update dataset_exclusions x set because_of = null
    where x.because_of in (select gone.id from gone);
    return null;
end
$$;
comment on function openbook.forget_examples is 'Trigger: examples go with their conversation, and with the golden questions that were taken from it.';

create or replace trigger forget_examples
after delete on openbook.conversations
referencing old table as gone
for each statement execute function openbook.forget_examples();

create or replace function openbook.name_documents() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    new.document_ids := array(
        select distinct v.document_id
        from chunks k
        join versions v on v.content_id = k.content_id
        where k.id = any (new.chunk_ids));
    return new;
end
$$;
comment on function openbook.name_documents is 'Trigger: an example that shows passages says of which documents, also when their chunks are no more.';

create or replace trigger name_documents
before insert on openbook.examples
for each row when (new.recipe like 'raft-%')
execute function openbook.name_documents();

create or replace function openbook.forget_passages(document_ids bigint[]) returns void
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(hashtext('openbook.datasets'));
    perform openbook.remove_examples(array_agg(e.id))
    from examples e
    where e.document_ids <> '{}' and e.document_ids && forget_passages.document_ids
      -- What another document says as well is still kept.
      and exists (
          select
          from unnest(e.chunk_ids) as shown (id)
          where not exists (select from chunks k where k.id = shown.id))
    having count(*) > 0;
end
$$;
comment on function openbook.forget_passages is 'Remove the examples that show passages of these documents which are no longer kept.';

create or replace function openbook.keep_version() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    raise exception 'a version of a dataset does not change'
        using errcode = 'restrict_violation', hint = 'Curate again: that makes another version.';
end
$$;
comment on function openbook.keep_version is 'Trigger: what a version is made of is never updated; what is forgotten is taken out and marked.';

create or replace trigger keep_version
before update of dataset_id, number, spec, spec_sha256, code_version, content_sha256, examples, tokens
on openbook.dataset_versions
for each row execute function openbook.keep_version();

create or replace trigger keep_example
before update on openbook.dataset_examples
for each row execute function openbook.keep_version();

create or replace function openbook.sweep_examples(retention interval) returns bigint
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    removed  bigint;
begin
    perform pg_advisory_xact_lock(hashtext('openbook.datasets'));
    delete from examples e
    where e.made_at < now() - retention
      and e.recipe <> 'raft-answer'  -- it was paid for, and goes with its conversation
      and not exists (select from dataset_examples d where d.example_id = e.id);
    get diagnostics removed = row_count;
    return removed;
end
$$;
comment on function openbook.sweep_examples is 'Delete the examples that are older than the retention and in no version, but for answers that were paid for; how many went. One that is wanted again is made again.';
