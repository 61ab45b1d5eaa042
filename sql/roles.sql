-- Who may do what: the only file with `grant` and `policy`. What is not granted here, nobody has but
-- the owner: a new table or function is closed until a line here opens it.
--
-- The roles are groups; a login is made a member of the one that it needs. A cluster has each role
-- once, for all of its databases; rights are each database's own, and are what this file says, no
-- more. openbook_engine has no members: it owns the functions that run with its rights, so that a
-- search reads tables which the searcher may not, and decides for him row by row what he sees.

do $$
declare
    groups   constant text[] := array[
        'openbook_owner', 'openbook_ingest', 'openbook_search', 'openbook_analyst',
        'openbook_trainer', 'openbook_engine'];
    grantee  text;
begin
    revoke all on schema openbook, analytics from public;
    revoke all on all tables in schema openbook, analytics from public;
    revoke all on all functions in schema openbook from public;
    foreach grantee in array groups loop
        if not exists (select from pg_roles where rolname = grantee) then
            begin
                execute format('create role %I nologin', grantee);
            exception
                when duplicate_object or unique_violation then
                    null; -- another database of the cluster made it at this moment
                when insufficient_privilege then
                    raise notice 'there is no role %, and % may not create it', grantee, current_user;
                    continue;
            end;
        end if;
        execute format('revoke all on all tables in schema openbook, analytics from %I', grantee);
        execute format('revoke all on all functions in schema openbook from %I', grantee);
        execute format('revoke all on schema openbook, analytics from %I', grantee);
    end loop;
end
$$;

do $$
declare
    -- What has readers, and what only counts for finding them.
    documents  constant text[] := array[
        'collections', 'sources', 'documents', 'versions', 'contents', 'chunks', 'passages'];
    engine     constant text[] := array[
        'embeddings', 'bm25_blocks', 'bm25_slots', 'bm25_postings', 'bm25_pending'];
    rights     constant text[] := array['principals', 'confinements'];
    asked      constant text[] := array['query_embeddings', 'search_log'];
    said       constant text[] := array['conversations', 'messages', 'feedback', 'load_files'];
    erased     constant text[] := array['load_rejections', 'forgotten_conversations', 'erasures'];
    measured   constant text[] := array['golden_sets', 'evaluations', 'evaluation_figures'];
    curated    constant text[] := array[
        'datasets', 'dataset_versions', 'dataset_examples', 'dataset_funnel', 'dataset_exclusions'];
    made       constant text[] := array['examples', 'dataset_exports'];
    written    constant text[] := array['contexts'];
    trained    constant text[] := array[
        'chat_models', 'gate_decisions', 'promotions', 'training_runs', 'training_files',
        'training_events', 'retrain_cycles'];
    examined   constant text[] := array[
        'answer_evaluations', 'answer_figures', 'answers', 'failure_kinds'];
    asked_for  constant text[] := array[
        'golden_questions', 'golden_judgements', 'golden_origins', 'answer_results',
        'answer_scores', 'answer_verdicts'];
    version    constant text[] := array['schema_migrations', 'schema_definitions'];
    searching  constant text[] := array[
        'search', 'read_query', 'field_filter', 'more_like', 'neighbours', 'why',
        'my_principals', 'my_collections', 'known_embedding', 'remember_query', 'log_search',
        'read_collection'];
    promoting  constant text[] := array[
        'promote_model', 'rollback_model', 'change_serving', 'check_promotable', 'chat_model_name'];
    advising   constant text[] := array[
        'answers_about', 'base_name', 'failed_half', 'feedback_verdicts'];
    naming     constant text[] := array[
        'act_for', 'session_is', 'transaction_stamp', 'log_answer', 'said_before'];
    command    text;
begin
    for command in
        select format('grant %s on schema openbook to %I', r.privileges, r.role)
        from (values
            ('openbook_owner', 'all'), ('openbook_ingest', 'usage'), ('openbook_search', 'usage'),
            ('openbook_analyst', 'usage'), ('openbook_trainer', 'usage'),
            ('openbook_engine', 'usage')) as r (role, privileges)
        join pg_roles g on g.rolname = r.role
        union all
        select format(
            'grant %s on schema analytics to %2$I; grant %s on all tables in schema analytics to %2$I',
            r.schema, r.role, r.tables)
        from (values
            ('openbook_owner', 'all', 'all'), ('openbook_ingest', 'usage', 'select'),
            ('openbook_analyst', 'usage', 'select'), ('openbook_trainer', 'usage', 'select')
        ) as r (role, schema, tables)
        join pg_roles g on g.rolname = r.role
        union all
        select format('grant %s on openbook.%I to %I', r.privileges, t.relname, r.role)
        from (values
            ('openbook_owner', 'all', null),
            ('openbook_ingest', 'select, insert, update, delete',
             documents || engine || said || erased || curated || made || written || measured
             || trained || examined || asked_for),
            ('openbook_ingest', 'select, insert, update', array['models', 'runs', 'reembeddings']),
            ('openbook_ingest', 'select', version),
            ('openbook_search', 'select', documents || version || array['models', 'search_log']),
            -- A server asks the model that serves; the registry names its dataset along with it.
            ('openbook_search', 'select', array['chat_models']),
            ('openbook_search', 'select (id, name)', array['datasets']),
            ('openbook_search', 'select (id, dataset_id, number)', array['dataset_versions']),
            ('openbook_analyst', 'select',
             documents || version || array['models', 'runs', 'reembeddings', 'search_log']),
            ('openbook_analyst', 'select', measured || array['conversations', 'load_files']),
            -- What was said is for those who train on it; others count it.
            ('openbook_analyst', 'select (conversation_id, ordinal, role, tool_calls, model,'
             ' input_tokens, output_tokens, latency_ms, chunk_ids, said_at)', array['messages']),
            ('openbook_analyst', 'select (id, conversation_id, ordinal, kind, value, given_at)',
             array['feedback']),
            ('openbook_analyst', 'select', curated || trained || examined),
            -- An answer to a golden question, and why it failed, quote what its reader may not see.
            ('openbook_analyst', 'select (answer_evaluation_id, item, golden_question_id, chunk_ids,'
             ' cited_ids, context_tokens, input_tokens, output_tokens, retrieval_ms, generation_ms)',
             array['answer_results']),
            ('openbook_analyst', 'select (answer_evaluation_id, item, measure, value)',
             array['answer_scores']),
            ('openbook_analyst', 'select (id, recipe, conversation_id, rejected_id, sha256, tokens,'
             ' turns, language, flags, personal, ordinals, chunk_ids)', array['examples']),
            ('openbook_trainer', 'select, insert, update, delete',
             curated || made || trained || examined || asked_for),
            ('openbook_trainer', 'select',
             documents || version || said || measured
             || array['models', 'runs', 'reembeddings', 'search_log']),
            ('openbook_engine', 'select', documents || engine || rights || array['models']),
            ('openbook_engine', 'select, insert', asked),
            ('openbook_engine', 'select, insert, update', array['conversations', 'messages']),
            ('openbook_engine', 'select, insert', array['answers']),
            ('openbook_engine', 'select', array['chat_models'])
        ) as r (role, privileges, tables)
        join pg_roles g on g.rolname = r.role
        join pg_class t on t.relnamespace = 'openbook'::regnamespace and t.relkind in ('r', 'p')
            and (t.relname = any (r.tables)) is not false
        union all
        -- A load numbers its conversations before it copies them; a message takes a provisional place.
        select format('grant usage on sequence %s to %I', s.oid::regclass, g.rolname)
        from pg_roles g, pg_class s
        where g.rolname in ('openbook_owner', 'openbook_ingest')
          and s.relnamespace = 'openbook'::regnamespace
          and s.relname in ('conversations_id_seq', 'message_places')
        union all
        select format('grant execute on function %s to %I', f.oid::regprocedure, r.role)
        from (values
            ('openbook_owner', null), ('openbook_ingest', null), ('openbook_engine', null),
            ('openbook_search', searching || naming),
            ('openbook_analyst', searching || array['failed_half']),
            ('openbook_trainer', searching || promoting || advising || array['split_of'])
        ) as r (role, functions)
        join pg_roles g on g.rolname = r.role
        join pg_proc f on f.pronamespace = 'openbook'::regnamespace
            and (f.proname = any (r.functions)) is not false
    loop
        execute command;
    end loop;
end
$$;

-- Row-level security: the keepers of the book work on every row, whoever its readers are; the others
-- read the rows that lead to a document of theirs. Each condition but that of documents and sources
-- stands on the table before it, whose own condition then applies.
do $$
declare
    keepers  text := (
        select string_agg(quote_ident(r.rolname), ', ')
        from pg_roles r
        where r.rolname in ('openbook_owner', 'openbook_ingest', 'openbook_engine'));
    readers  text := (
        select string_agg(quote_ident(r.rolname), ', ')
        from pg_roles r
        where r.rolname in ('openbook_search', 'openbook_analyst', 'openbook_trainer'));
    rule     record;
begin
    for rule in
        select t.oid::regclass as name, pg_get_userbyid(t.relowner) as owner, r.condition
        from (values
            ('collections', 'id in (select openbook.my_collections())'),
            ('sources', 'collection_id in (select openbook.my_collections())'),
            ('runs', 'exists (select from openbook.sources s where s.id = source_id)'),
            ('documents', 'readers && (select openbook.my_principals())
                           and exists (select from openbook.sources s where s.id = source_id)'),
            ('versions', '(readers && (select openbook.my_principals())) is not false
                          and exists (select from openbook.documents d where d.id = document_id)'),
            ('contents', 'exists (select from openbook.versions v where v.content_id = contents.id)'),
            ('chunks', 'exists (select from openbook.versions v
                                where v.content_id = chunks.content_id)'),
            ('passages', 'exists (select from openbook.chunks c where c.passage_id = passages.id)'),
            ('search_log', 'login = session_user and openbook.my_principals() @> principals')
        ) as r (name, condition)
        join pg_class t on t.relnamespace = 'openbook'::regnamespace and t.relname = r.name
    loop
        execute format('alter table %s enable row level security', rule.name);
        execute format('alter table %s force row level security', rule.name);
        execute format('drop policy if exists keepers on %s', rule.name);
        execute format('drop policy if exists readers on %s', rule.name);
        execute format('create policy keepers on %s to %s using (true)',
                       rule.name, concat_ws(', ', quote_ident(rule.owner), keepers));
        if readers is not null then
            execute format('create policy readers on %s for select to %s using (%s)',
                           rule.name, readers, rule.condition);
        end if;
    end loop;
end
$$;

-- Every function that runs with its owner's rights belongs to the engine, but for those that make or
-- drop parts of tables: they stay with who owns these, so that who ingests need not.
do $$
declare
    owners    constant text[] := array[
        'add_model', 'index_embeddings', 'drop_model', 'expire', 'forget_queries'];
    function  regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        grant openbook_engine to current_user;
    end if;
    grant create on schema openbook to openbook_engine;
    for function in
        select f.oid
        from pg_proc f
        where f.pronamespace = 'openbook'::regnamespace and f.prosecdef
          and f.proname <> all (owners)
    loop
        execute format('alter function %s owner to openbook_engine', function);
    end loop;
    revoke create on schema openbook from openbook_engine;
exception
    when insufficient_privilege or undefined_object then
        raise notice 'functions that run with their owner''s rights stay with %', current_user;
end
$$;

-- Temporary tables and large objects are bounded by nothing but the disk: they are for who works on
-- the book.
do $$
declare
    keepers  text := (
        select string_agg(quote_ident(r.rolname), ', ')
        from pg_roles r
        where r.rolname in ('openbook_owner', 'openbook_ingest'));
begin
    execute format('revoke temporary on database %I from public', current_database());
    revoke execute on function
        pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea)
    from public;
    if keepers is not null then
        execute format('grant temporary on database %I to %s', current_database(), keepers);
    end if;
exception
    when insufficient_privilege then
        raise notice 'temporary tables and large objects stay open to all: % does not own the database',
            current_user;
end
$$;
