-- Removing for good what nothing needs any more: on demand (forget) and by age (sweep).

create or replace function openbook.delete_contents(content_ids bigint[])
returns table (contents bigint, chunks bigint, passages bigint, embeddings bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    passage_ids  bigint[];
    hashes       bytea[];
begin
    select array_agg(distinct k.passage_id), count(*) into passage_ids, chunks
    from chunks k
    where k.content_id = any (content_ids);

    delete from contents c where c.id = any (content_ids);
    get diagnostics contents = row_count;

    with gone as (
        delete from passages p
        where p.id = any (passage_ids)
          and not exists (select from chunks k where k.passage_id = p.id)
        returning p.sha256
    )
    select array_agg(distinct gone.sha256), count(*) into hashes, passages from gone;

    delete from embeddings e
    where e.sha256 = any (hashes)
      and not exists (select from passages p where p.sha256 = e.sha256);
    get diagnostics embeddings = row_count;
    return next;
end
$$;
comment on function openbook.delete_contents is 'Delete contents that no version names, with the chunks, passages and vectors that nothing else uses.';

create or replace function openbook.forget(document_ids bigint[])
returns table (documents bigint, versions bigint, contents bigint, chunks bigint, passages bigint, embeddings bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    content_ids  bigint[];
begin
    select array_agg(distinct v.content_id), count(*) into content_ids, versions
    from versions v
    where v.document_id = any (document_ids);

    -- The pointer goes first: passages.uses is counted by it while the versions still stand.
    update documents d set version_id = null where d.id = any (document_ids);
    delete from documents d where d.id = any (document_ids);
    get diagnostics documents = row_count;

    select u.contents, u.chunks, u.passages, u.embeddings
    into contents, chunks, passages, embeddings
    from openbook.delete_contents(array(
        select c.id from contents c
        where c.id = any (content_ids)
          and not exists (select from versions v where v.content_id = c.id))) u;
    return next;
end
$$;
comment on function openbook.forget is 'Delete documents with their whole history, and everything of theirs that no other document uses; how many rows of each went.';

create or replace function openbook.sweep(retention interval default '90 days', grace interval default '1 day')
returns table (versions bigint, contents bigint, chunks bigint, passages bigint, embeddings bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    delete from versions v where v.valid_to < now() - retention;
    get diagnostics versions = row_count;

    -- A content without a version may belong to a run that is still at work, or that died and whose
    -- successor will want it: only after the grace period is it nobody's.
    select u.contents, u.chunks, u.passages, u.embeddings
    into contents, chunks, passages, embeddings
    from openbook.delete_contents(array(
        select c.id from contents c
        where c.created_at < now() - grace
          and not exists (select from versions v where v.content_id = c.id))) u;
    return next;
end
$$;
comment on function openbook.sweep is 'Delete versions that ended longer ago than the retention, and what no version has used since the grace period; how many rows of each went.';
