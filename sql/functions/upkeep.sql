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
    perform openbook.forget_quotes(array(
        select k.id from chunks k where k.content_id = any (content_ids)));

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
    perform openbook.forget_passages(document_ids);
    return next;
end
$$;
comment on function openbook.forget is 'Delete documents with their whole history, and everything of theirs that no other document uses, examples that show their passages included; how many rows of each went.';

create or replace function openbook.forget_quotes(chunk_ids bigint[]) returns void
language sql volatile
set search_path = openbook, public, pg_temp
as $$
    with quoted as (
        update answer_results r
        set answer = null, reason = 'what it was answered from is no longer kept'
        where r.chunk_ids && forget_quotes.chunk_ids
        returning r.answer_evaluation_id, r.item
    ), judged as (
        update answer_verdicts v
        set reason = null
        from quoted q
        where q.answer_evaluation_id in (v.answer_evaluation_id, v.other_id) and q.item = v.item
    )
    update answer_scores s
    set detail = null
    from quoted q
    where q.answer_evaluation_id = s.answer_evaluation_id and q.item = s.item;
$$;
comment on function openbook.forget_quotes is 'Take out of examinations what models answered from these chunks, and what was said of it; the scores stay.';

create or replace function openbook.sweep(retention interval default '90 days', grace interval default '1 day')
returns table (versions bigint, contents bigint, chunks bigint, passages bigint, embeddings bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    delete from versions v where v.valid_to < now() - retention;
    get diagnostics versions = row_count;
    delete from contexts c where c.stale_since < now() - retention;

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
comment on function openbook.sweep is 'Delete versions that ended longer ago than the retention, contexts of chunks that their documents lost before it, and what no version has used since the grace period; how many rows of each went.';

create or replace function openbook.expire(
    retention interval default '90 days', out documents bigint, out queries bigint)
language plpgsql
-- Who ingests may forget what others have asked, and not read it.
security definer
set search_path = openbook, public, pg_temp
as $$
begin
    delete from documents d
    where d.status = 'deleted'
      and d.checked_at < now() - retention
      and not exists (select from versions v where v.document_id = d.id);
    get diagnostics documents = row_count;

    delete from query_embeddings q where q.asked_at < now() - retention;
    get diagnostics queries = row_count;
    delete from search_log l where l.asked_at < now() - retention;
end
$$;
comment on function openbook.expire is 'Delete what has no history left: documents whose file has been gone for longer than the retention, and queries, with the log of searches, from before it.';

create or replace function openbook.retired_models(retention interval default '90 days')
returns setof text
language sql stable
set search_path = openbook, public, pg_temp
as $$
    select m.name
    from models m
    where not m.serving
      and to_regclass('embeddings_' || m.id) is not null
      and (select max(r.started_at) from runs r where r.model_id = m.id) < now() - retention
    order by m.id
$$;
comment on function openbook.retired_models is 'Models that search once used, that no run has bought vectors for within the retention, and whose vectors are still there. One that was only filled yet is none of them.';

create or replace function openbook.drop_model(name text) returns bigint
language plpgsql
-- A partition is dropped as the owner of what it belongs to.
security definer
set search_path = openbook, public, pg_temp
as $$
declare
    model  models;
    gone   bigint;
begin
    -- Whoever embeds with it or activates it waits, and then finds it without vectors.
    select * into model from models m where m.name = drop_model.name for update;
    if not found then
        raise exception 'there is no model %', drop_model.name
            using hint = 'See them with: openbook models.';
    elsif model.serving then
        raise exception 'search uses the model %', drop_model.name
            using hint = 'Activate another one first: openbook models activate NAME.';
    end if;
    select count(*) into gone from embeddings e where e.model_id = model.id;
    delete from query_embeddings q where q.model_id = model.id;
    execute format('drop table if exists openbook.%I', 'embeddings_' || model.id);
    return gone;
end
$$;
comment on function openbook.drop_model is 'Drop all vectors of a model that does not serve; its name stays, for the runs that used it. How many vectors went.';
