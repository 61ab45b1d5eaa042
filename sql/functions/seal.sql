-- Upkeep of the BM25 index. Passages that come into use or go out of it are pending; sealing moves
-- them into blocks, or strikes them out there. Small blocks are merged like the tables of a
-- log-structured store, so that a passage is written a few times however it trickles in.
--
-- Publishers never wait for one another here, and a sealer never waits for a publisher: it leaves
-- out the pending rows that others hold. A publisher may wait for a sealer, a second at most.

create or replace function openbook.turn_pending() returns trigger
language plpgsql
set search_path = openbook, pg_temp
as $$
begin
    -- The lock on the passage's row lets one transaction at a time turn it.
    delete from bm25_pending where passage_id = new.id;
    if not found then
        insert into bm25_pending (collection_id, passage_id) values (new.collection_id, new.id);
    end if;
    return null;
end
$$;
comment on function openbook.turn_pending is 'The passage came into use or went out of it: the blocks were right about it and no longer are, or the reverse.';

create or replace trigger passages_stored after insert on openbook.passages
    for each row when (new.uses > 0) execute function openbook.turn_pending();

create or replace trigger passages_turned after update of uses on openbook.passages
    for each row when ((old.uses = 0) <> (new.uses = 0)) execute function openbook.turn_pending();

create or replace function openbook.strike_deleted() returns trigger
language plpgsql
set search_path = openbook, pg_temp
as $$
begin
    -- A sealer at work may be moving the passage into another block: it has to finish first.
    perform pg_advisory_xact_lock(hashtext('openbook.seal'), old.collection_id::integer);
    perform openbook.strike_slots(array[old.id]);
    delete from bm25_pending where passage_id = old.id;
    return old;
end
$$;
comment on function openbook.strike_deleted is 'The passage is deleted for good: nothing of it may count in the index.';

create or replace trigger passages_deleted before delete on openbook.passages
    for each row execute function openbook.strike_deleted();

create or replace function openbook.strike_slots(passages bigint[]) returns void
language sql
set search_path = openbook, public, pg_temp
as $$
    with struck as (
        delete from bm25_slots where passage_id = any (strike_slots.passages)
        returning passage_id, block_id, slot
    ), gone as (
        select s.block_id, count(*) as slots, sum(p.length) as length,
               binary_quantize(
                   ('{' || string_agg(s.slot || ':1', ',') || '}/' || b.slots)::sparsevec::vector
               ) as bits
        from struck s
        join bm25_blocks b on b.id = s.block_id
        join openbook.passages p on p.id = s.passage_id
        group by s.block_id, b.slots
    )
    update bm25_blocks b
    set live = b.live & ~gone.bits,
        live_slots = b.live_slots - gone.slots,
        live_length = b.live_length - gone.length
    from gone
    where b.id = gone.block_id;
$$;
comment on function openbook.strike_slots is 'Take the sealed ones of these passages out of the count; their weights stay until the block is written anew.';

create or replace function openbook.write_block(
    collection bigint, members bigint[], average_length double precision)
returns void
language sql
set search_path = openbook, public, pg_temp
set work_mem = '64MB'
as $$
    with block as (
        insert into bm25_blocks
            (collection_id, slots, live, live_slots, live_length, average_length)
        select write_block.collection, count(*), repeat('1', count(*)::integer)::bit varying,
               count(*), sum(length), write_block.average_length
        from passages where id = any (members)
        returning id, slots
    ), placed as (
        insert into bm25_slots (passage_id, block_id, slot)
        select passage_id, block.id, slot
        from block, unnest((select array_agg(m order by m) from unnest(members) m))
            with ordinality as u (passage_id, slot)
        returning passage_id, block_id, slot
    )
    insert into bm25_postings (collection_id, lexeme, block_id, entries, peak, weights)
    select write_block.collection, e.lexeme, block.id, count(*), max(e.weight),
           ('{' || string_agg(e.slot || ':' || e.weight, ',') || '}/' || block.slots)::sparsevec
    from block, lateral (
        select u.lexeme, placed.slot,
               openbook.bm25_weight(
                   cardinality(u.positions), p.length, write_block.average_length, c.k1, c.b
               )::real as weight
        from placed
        join passages p on p.id = placed.passage_id
        join collections c on c.id = write_block.collection
        cross join unnest(p.lexemes) as u) e
    group by e.lexeme, block.id, block.slots;
$$;
comment on function openbook.write_block is 'Seal these passages as a new block.';

create or replace function openbook.seal_blocks(minimum integer default 256) returns integer
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    width    constant integer := 4096;
    written  integer := 0;
    waiting  bigint;
    pending  bigint[];
    gone     bigint[];
    merged   bigint[];
    members  bigint[];
    average  double precision;
    block    record;
    c        record;
begin
    for c in select id from collections order by id loop
        continue when not pg_try_advisory_xact_lock(hashtext('openbook.seal'), c.id::integer);
        average := (select s.average_length from openbook.bm25_statistics(c.id) s);
        pending := null;
        waiting := (select count(*) from bm25_pending q where q.collection_id = c.id);
        if waiting >= minimum then
            pending := array(
                select q.passage_id from bm25_pending q
                where q.collection_id = c.id
                order by q.passage_id limit width
                for update skip locked);
        end if;

        gone := array(select s.passage_id from bm25_slots s where s.passage_id = any (pending));
        perform openbook.strike_slots(gone);
        members := array(select unnest(pending) except select unnest(gone));

        -- Blocks no larger than what has come together, and those that have grown untrue.
        merged := '{}';
        for block in
            select b.id, b.live_slots,
                   b.live_slots < 0.8 * b.slots
                   or abs(ln(b.average_length / average)) > 0.1 as stale
            from bm25_blocks b where b.collection_id = c.id
            order by b.live_slots, b.id
        loop
            exit when cardinality(members) + block.live_slots > width;
            if block.stale or block.live_slots <= cardinality(members) then
                merged := merged || block.id;
                members := members || array(
                    select s.passage_id from bm25_slots s where s.block_id = block.id);
            end if;
        end loop;

        delete from bm25_postings p where p.block_id = any (merged);
        delete from bm25_slots s where s.block_id = any (merged);
        delete from bm25_blocks b where b.id = any (merged);
        delete from bm25_pending q where q.passage_id = any (pending);
        if cardinality(members) > 0 then
            perform openbook.write_block(c.id, members, average);
        end if;
        written := written + cardinality(gone) + cardinality(members);
    end loop;
    return written;
end
$$;
comment on function openbook.seal_blocks is 'Move up to a block''s worth of each collection''s pending passages into the index, once there are that many. Call until it returns 0: each call is short, so that commits let publishers through. How many passages it wrote or struck out.';

create or replace function openbook.unseal(blocks bigint[], passages bigint[]) returns void
language plpgsql
set search_path = openbook, pg_temp
as $$
declare
    taken    bigint[];
    members  bigint[];
begin
    -- A sealer at work may be moving these passages: it has to finish first.
    perform pg_advisory_xact_lock(hashtext('openbook.seal'), c.id::integer)
    from (select id from collections order by id) c;
    taken := blocks || array(
        select s.block_id from bm25_slots s where s.passage_id = any (unseal.passages));
    members := unseal.passages || array(
        select s.passage_id from bm25_slots s where s.block_id = any (taken));
    -- Nor may a publisher turn them now.
    perform from openbook.passages p where p.id = any (members) order by p.id for update;

    delete from bm25_postings p
    where p.block_id = any (taken)
       or not exists (select from bm25_blocks b where b.id = p.block_id);
    delete from bm25_slots s where s.block_id = any (taken);
    delete from bm25_blocks b where b.id = any (taken);
    delete from bm25_pending q where q.passage_id = any (members);
    insert into bm25_pending (collection_id, passage_id)
    select p.collection_id, p.id
    from openbook.passages p
    where p.id = any (members) and p.uses > 0;
end
$$;
comment on function openbook.unseal is 'Take apart these blocks, and those in which these passages stand; all that is in use of them is pending until it is sealed anew.';

create or replace function openbook.set_bm25(
    collection text, k1 double precision, b double precision)
returns void
language plpgsql
set search_path = openbook, pg_temp
as $$
declare
    within bigint;
begin
    update collections c
    set k1 = set_bm25.k1, b = set_bm25.b
    where c.name = set_bm25.collection
    returning c.id into within;
    if within is null then
        raise exception 'there is no collection %', quote_nullable(set_bm25.collection)
            using errcode = 'invalid_parameter_value', hint = 'See the table openbook.collections.';
    end if;
    -- No sealer is at work, and nobody turns a sealed passage, until all of them are pending.
    perform pg_advisory_xact_lock(hashtext('openbook.seal'), within::integer);
    perform from passages p
    where p.id in (
        select s.passage_id
        from bm25_slots s
        join bm25_blocks k on k.id = s.block_id
        where k.collection_id = within)
    order by p.id
    for update;
    with unsealed as (
        delete from bm25_slots s
        using bm25_blocks k
        where k.id = s.block_id and k.collection_id = within
        returning s.passage_id
    ), gone as (
        delete from bm25_pending q
        using unsealed u
        where q.passage_id = u.passage_id
        returning q.passage_id
    )
    insert into bm25_pending (collection_id, passage_id)
    select within, u.passage_id
    from unsealed u
    where u.passage_id not in (select g.passage_id from gone g);
    delete from bm25_postings p where p.collection_id = within;
    delete from bm25_blocks k where k.collection_id = within;
end
$$;
comment on function openbook.set_bm25 is 'Give a collection other constants for BM25. Scores follow at once; its passages are pending, and keyword search slow, until openbook.seal_blocks() has made the index anew: call it until it returns 0.';
