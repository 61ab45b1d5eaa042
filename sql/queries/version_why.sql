with asked as (
    select c.id from openbook.conversations c
    where c.id = %(id)s or c.external_id = %(external)s
), found as (
    select v.id as version_id, e.conversation_id, e.sha256, d.split, null::text as step, null::text as reason,
           null::bigint as because_of
    from openbook.examples e
    join openbook.dataset_examples d on d.example_id = e.id
    join openbook.dataset_versions v on v.id = d.version_id
    where e.conversation_id in (select id from asked) or e.rejected_id in (select id from asked)
       or substr(e.sha256, 1, length(%(from_sha)s::bytea)) = %(from_sha)s
    union all
    select x.version_id, x.conversation_id, x.sha256, null, x.step, x.reason, x.because_of
    from openbook.dataset_exclusions x
    where x.conversation_id in (select id from asked)
       or substr(x.sha256, 1, length(%(from_sha)s::bytea)) = %(from_sha)s
)
select d.name as dataset, v.number as version, f.conversation_id, encode(f.sha256, 'hex') as sha256,
       f.split, f.step, f.reason, f.because_of
from found f
join openbook.dataset_versions v on v.id = f.version_id
join openbook.datasets d on d.id = v.dataset_id
order by d.name, v.number desc, f.conversation_id, f.sha256
