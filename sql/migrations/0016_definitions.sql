-- What was defined before Openbook kept a list of it. By name, since users may have made others; from
-- here on the list is what was really defined.

insert into openbook.definitions (type, identity, name)
select o.type, o.identity, format('%I.%I', n.nspname, p.proname)
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join pg_identify_object('pg_proc'::regclass, p.oid, 0) o
where n.nspname = 'openbook'
  and p.proname = any (array[
        'act_for', 'activate_model', 'add_model', 'admissible', 'admitted',
        'allow_index_memory', 'analysts', 'bm25', 'bm25_found', 'bm25_query', 'bm25_rarity',
        'bm25_reached', 'bm25_scores', 'bm25_sealed', 'bm25_statistics', 'bm25_weight',
        'check_request', 'check_words', 'claim_conversations', 'conditions', 'contents_seen',
        'count_uses', 'deeper', 'delete_contents', 'delete_messages', 'demands', 'dense_list',
        'documents_of', 'drop_model', 'end_overdue', 'expire', 'expire_conversations',
        'few_admitted', 'field_filter', 'filter_comparison', 'filter_condition', 'filter_date',
        'filter_field', 'filter_list', 'first_depth', 'forget', 'forget_conversations',
        'forget_examples', 'fused', 'hits', 'holders', 'identifiers', 'index_embeddings',
        'index_health', 'keep_version', 'keeps_everything', 'keeps_unbounded', 'keyword_list',
        'known_embedding', 'lexeme_count', 'lexeme_query', 'lexemes', 'likeness',
        'limit_analysts', 'log_search', 'matches', 'merge_conversations', 'more_like',
        'move_uses', 'my_collections', 'my_principals', 'nearest', 'nearest_exactly',
        'neighbours', 'number_message', 'placed', 'placements', 'predicate_all',
        'predicate_any', 'predicate_comparison', 'predicate_expect', 'predicate_filter',
        'predicate_list', 'predicate_one', 'predicate_tokens', 'predicate_value',
        'query_embedding', 'ranked', 'read_query', 'refuse_predicate', 'reject_filter',
        'remember_query', 'requirements', 'retired_models', 'scope', 'seal_blocks', 'search',
        'seen_chunk', 'session_is', 'set_bm25', 'set_principals', 'similarity', 'split_of',
        'standing', 'strike_deleted', 'strike_slots', 'sweep', 'sweep_examples',
        'telling_words', 'texts', 'touch_conversations', 'transaction_stamp', 'turn_pending',
        'unseal', 'vector_index_misses', 'why', 'words', 'write_block'])
union all
select o.type, o.identity, format('%I.%I', n.nspname, c.relname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join pg_identify_object('pg_class'::regclass, c.oid, 0) o
where n.nspname = 'analytics' and c.relkind = 'v'
  and c.relname = any (array[
        'chunks', 'conversations', 'cost_by_day', 'dataset_funnel', 'dataset_lineage',
        'datasets', 'documents', 'feedback_daily', 'freshness', 'golden_results',
        'ingest_failures', 'ingest_runs', 'search_log'])
union all
select o.type, o.identity, t.tgname
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
join pg_proc p on p.oid = t.tgfoid
cross join pg_identify_object('pg_trigger'::regclass, t.oid, 0) o
where not t.tgisinternal
  and p.pronamespace = 'openbook'::regnamespace and c.relnamespace = 'openbook'::regnamespace
on conflict do nothing;
