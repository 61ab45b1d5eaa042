-- What search finds for each question: the passages that may distract from the one that answers it.
select coalesce((
    select jsonb_agg(jsonb_build_array(h.chunk_id, h.text, concat_ws(' · ', h.path, h.section, 'page ' || h.page))
                     order by h.rank)
    from openbook.search(q.question, k => %(candidates)s, mode => 'keyword', collection => q.collection) h), '[]')
from unnest(%(questions)s::text[], %(collections)s::text[]) with ordinality as q (question, collection, place)
order by q.place
