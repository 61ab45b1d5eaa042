create temporary table curated on commit drop as
with owned as (
    select d.*, m.cluster, m.golden, m.overlap,
           -- What is held out owns its near-duplicates, whatever else becomes of it: a version that
           -- leaves it out must not train on its double.
           case when bool_or(d.split = 'test') over same then 'test'
                when bool_or(d.split = 'validation') over same then 'validation'
                else 'train' end as owner
    from drafted d
    join measured m using (ordinal)
    window same as (partition by m.family)
)
select o.ordinal, o.example_id, o.conversation_id, o.sha256, o.text_sha256, o.tokens, o.tags,
       o.user_pseudonym, o.general, o.split, o.cluster,
       (case when o.corrected then 2 else 0 end + o.ups - o.downs)::double precision as rating,
       coalesce(o.score, 0) as score, null::bigint as because_of,
       case
           when exists (select from unnest(o.flags) f where f like 'invalid: %%' or f like 'draft: %%') then 'format'
           when 'refusal' = any (o.flags) and %(exclude_refusals)s
             or 'error' = any (o.flags) and %(exclude_errors)s
             or (o.language = any (%(languages)s)) is not true and cardinality(%(languages)s) > 0
             or o.tokens not between %(min_tokens)s and %(max_tokens)s
             or o.turns < %(min_turns)s then 'quality'
           when o.downs > 0 and %(exclude_negative)s
             or o.ups = 0 and not o.corrected and (%(require_positive)s or o.own and %(exclude_own)s)
             or coalesce(o.score, 0) < %(min_score)s::double precision then 'feedback'
           when o.golden or o.split = 'train' and o.overlap >= %(test_share)s then 'decontamination'
           when o.moved or o.split <> o.owner or o.split <> o.other_split then 'split'
           when o.general and o.split <> 'train' then 'mix'
       end as step,
       case
           when exists (select from unnest(o.flags) f where f like 'invalid: %%' or f like 'draft: %%')
               then (select min(f) from unnest(o.flags) f where f like 'invalid: %%' or f like 'draft: %%')
           when 'refusal' = any (o.flags) and %(exclude_refusals)s then 'the answer is a refusal'
           when 'error' = any (o.flags) and %(exclude_errors)s then 'an error message'
           when (o.language = any (%(languages)s)) is not true and cardinality(%(languages)s) > 0
               then 'language: ' || coalesce(o.language, 'unknown')
           when o.tokens < %(min_tokens)s then 'too short'
           when o.tokens > %(max_tokens)s then 'too long'
           when o.turns < %(min_turns)s then 'too few answers'
           when o.downs > 0 and %(exclude_negative)s then 'negative feedback'
           when o.ups = 0 and not o.corrected and %(require_positive)s then 'no positive feedback'
           when o.ups = 0 and not o.corrected and o.own and %(exclude_own)s
               then 'our own answer, which nobody judged'
           when coalesce(o.score, 0) < %(min_score)s::double precision then 'score too low'
           when o.golden then 'shares words with a golden question'
           when o.split = 'train' and o.overlap >= %(test_share)s
               then 'shares words with a held-out example'
           when o.moved then 'its user, who became known later, is in another split'
           when o.split <> o.other_split then 'its two conversations are in different splits'
           when o.split <> o.owner then 'near-duplicate of a held-out example'
           when o.general and o.split <> 'train' then 'general data is for training alone'
       end as reason
from owned o
