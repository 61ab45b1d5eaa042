-- passages.uses follows documents.version_id, whoever moves that pointer: in how many chunks of
-- current documents a passage stands.

create or replace function openbook.move_uses(gained bigint[], lost bigint[]) returns void
language plpgsql
set search_path = openbook, pg_temp
as $$
begin
    -- Two runs may share passages: lock them in one order, then count.
    perform from passages p
    where p.id in (
        select c.passage_id from chunks c join versions v using (content_id)
        where v.id = any (gained || lost))
    order by p.id
    for update;

    update passages p
    set uses = p.uses + moved.step
    from (
        select c.passage_id, sum(flip.step) as step
        from (
            select unnest(gained) as version_id, 1 as step
            union all
            select unnest(lost), -1) flip
        join versions v on v.id = flip.version_id
        join chunks c using (content_id)
        group by c.passage_id
        having sum(flip.step) <> 0) moved
    where p.id = moved.passage_id;
end
$$;
comment on function openbook.move_uses is 'Count the passages of gained versions once more a chunk, and those of lost ones once less.';

create or replace function openbook.count_uses() returns trigger
language plpgsql
set search_path = openbook, pg_temp
as $$
declare
    gained bigint[] := '{}';
    lost   bigint[] := '{}';
begin
    -- A plan is kept for the session, and a join of the rows before and after would be planned for
    -- as few of them as the first statement touched. Versions are one document's alone.
    if tg_op = 'INSERT' then
        gained := array(select version_id from after_rows where version_id is not null);
    elsif tg_op = 'DELETE' then
        lost := array(select version_id from before_rows where version_id is not null);
    else
        gained := array(select version_id from after_rows where version_id is not null
                        except select version_id from before_rows);
        lost := array(select version_id from before_rows where version_id is not null
                      except select version_id from after_rows);
    end if;
    if cardinality(gained || lost) > 0 then
        perform openbook.move_uses(gained, lost);
    end if;
    return null;
end
$$;
comment on function openbook.count_uses is 'Keeps passages.uses in step with documents.version_id.';

create or replace trigger documents_inserted after insert on openbook.documents
    referencing new table as after_rows
    for each statement execute function openbook.count_uses();

create or replace trigger documents_updated after update on openbook.documents
    referencing old table as before_rows new table as after_rows
    for each statement execute function openbook.count_uses();

create or replace trigger documents_deleted after delete on openbook.documents
    referencing old table as before_rows
    for each statement execute function openbook.count_uses();
