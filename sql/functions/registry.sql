-- The registry of models that answer: which one serves, and which must not.

create or replace function openbook.change_serving(
    task text, model bigint, expected bigint, action text, decision bigint, reason text)
returns bigint
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    present    bigint;
    chosen     chat_models;
    promotion  bigint;
begin
    perform pg_advisory_xact_lock(hashtext('openbook.serving'), hashtext(task));
    select m.id into present
    from chat_models m
    where m.task = change_serving.task and m.stage = 'serving';
    if present is distinct from expected then
        raise exception 'another change came first: % serves %, not %',
            coalesce(openbook.chat_model_name(present), 'no model'), task,
            coalesce(openbook.chat_model_name(expected), 'none')
            using errcode = 'serialization_failure',
                  hint = 'Look again: openbook models. Then decide again.';
    end if;
    if model is not null then
        -- Who forgets what it was trained on waits here, or is waited for.
        select * into chosen
        from chat_models m
        where m.id = model and m.task = change_serving.task
        for update;
        perform openbook.check_promotable(chosen);
    end if;
    update chat_models m
    set stage = case when m.tainted_at is null then 'retired' else 'tainted' end
    where m.id = present and m.id is distinct from model;
    update chat_models m set stage = 'serving' where m.id = model;
    insert into promotions (task, model_id, previous_id, action, decision_id, reason)
    values (task, model, present, action, decision, reason)
    returning id into promotion;
    return promotion;
end
$$;
comment on function openbook.change_serving is 'Let the model (null: none of the registry) serve the task if `expected` serves it now; the id of the promotion. Of two at once one wins, and the other is told.';

create or replace function openbook.chat_model_name(model bigint) returns text
language sql stable
set search_path = openbook, public, pg_temp
as $$
    select m.name || '@' || m.version from chat_models m where m.id = model;
$$;
comment on function openbook.chat_model_name is 'name@version.';

create or replace function openbook.check_promotable(model openbook.chat_models) returns void
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    called  text := model.name || '@' || model.version;
begin
    if model.id is null then
        raise exception 'there is no such model for this task' using hint = 'See them with: openbook models.';
    end if;
    if model.tainted_at is not null then
        raise exception '% was trained on something that was forgotten on %', called,
            to_char(model.tainted_at at time zone 'utc', 'YYYY-MM-DD')
            using hint = 'Train another on a version without it: openbook retrain SPEC.';
    end if;
    if model.retires_on <= (now() at time zone 'utc')::date then
        raise exception '% was shut down by its provider on %', called, model.retires_on
            using hint = 'Train another from a base that stays.';
    end if;
    if model.endpoint_model is null then
        raise exception '% is not served yet, so that nobody can ask it', called
            using hint = format('Serve it and say where: openbook models register %s --model NAME --url URL.', called);
    end if;
end
$$;
comment on function openbook.check_promotable is 'Refuse a model that is tainted, shut down, or not served.';

create or replace function openbook.made_from(
    base text, training_run bigint, base_artifacts bytea[])
returns setof openbook.chat_models
language sql stable
set search_path = openbook, public, pg_temp
as $$
    -- A provider may call a base otherwise than it was ordered.
    select p.*
    from chat_models p
    cross join lateral (
        values (made_from.base),
               ((select r.base from training_runs r where r.id = made_from.training_run))
    ) as b (name)
    where b.name in (p.endpoint_model, p.artifact)
    union
    select p.* from chat_models p where p.artifact_sha256 = any (made_from.base_artifacts);
$$;
comment on function openbook.made_from is 'The models of the registry that a model of this base, training, and adapters merged into its base was trained further from: told by what a server calls them, by their folder, or by their adapter.';

create or replace function openbook.promote_model(
    model bigint, expected bigint, decision bigint default null, reason text default null)
returns bigint
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    judged     gate_decisions;
    promotion  bigint;
begin
    if decision is not null then
        select * into judged from gate_decisions d where d.id = decision for update;
        if judged.candidate_id is distinct from model or judged.serving_id is distinct from expected then
            raise exception 'decision % is about %, against %', decision,
                coalesce(openbook.chat_model_name(judged.candidate_id), 'no model'),
                coalesce(openbook.chat_model_name(judged.serving_id), 'the configured model')
                using hint = 'Judge the two again: openbook retrain SPEC.';
        end if;
    end if;
    if model = expected then
        raise exception '% serves already', openbook.chat_model_name(model);
    end if;
    promotion := openbook.change_serving(
        (select m.task from chat_models m where m.id = model), model, expected, 'promote', decision,
        reason);
    -- Locked by now: it cannot be registered elsewhere before this transaction ends.
    if judged.endpoint_model is not null and not exists (
        select from chat_models m
        where m.id = model and m.endpoint_model = judged.endpoint_model
          and m.endpoint_url is not distinct from judged.endpoint_url) then
        raise exception '% is asked elsewhere than where decision % examined it',
            openbook.chat_model_name(model), decision
            using errcode = 'serialization_failure', hint = 'Judge it again: openbook retrain SPEC.';
    end if;
    update gate_decisions d set promoted = true where d.id = decision;
    return promotion;
end
$$;
comment on function openbook.promote_model is 'Let the model serve its task in place of `expected` (null: none of the registry), on a decision of the gate or by hand; the id of the promotion.';

create or replace function openbook.rollback_model(task text, expected bigint, reason text default null)
returns bigint
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    came  promotions;
begin
    -- The promotion that first let it serve, so that a second rollback goes one further back.
    select * into came
    from promotions p
    where p.task = rollback_model.task and p.model_id = expected and p.action = 'promote'
    order by p.id desc
    limit 1;
    if not found then
        raise exception 'no promotion let answer what answers now, so that there is nothing before it'
            using hint = 'Let another answer with: openbook promote MODEL. See analytics.promotions.';
    end if;
    return openbook.change_serving(task, came.previous_id, expected, 'rollback', null, reason);
end
$$;
comment on function openbook.rollback_model is 'Let what served before `expected` serve again, be it the configured model; the id of the promotion.';

create or replace function openbook.taint_models() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    with recursive tainted as (
        select m.id
        from chat_models m
        join changed v on v.id = m.dataset_version_id and v.tainted_at is not null
        union
        -- What was trained further from a tainted one has learned the same.
        select m.id
        from tainted t
        cross join chat_models m
        join lateral openbook.made_from(m.base, m.training_run_id, m.base_artifacts) p on p.id = t.id
    )
    update chat_models m
    set tainted_at = now(),
        stage = case when m.stage = 'serving' then 'serving' else 'tainted' end
    from tainted t
    where m.id = t.id and m.tainted_at is null;
    return null;
end
$$;
comment on function openbook.taint_models is 'Trigger: models that were trained on a version of which something was forgotten are marked in the same transaction, and those made from them.';

create or replace trigger taint_models
after update on openbook.dataset_versions
referencing new table as changed
for each statement execute function openbook.taint_models();
