select encode(e.sha256, 'hex'), e.body, e.tokens, e.language, e.conversation_id, e.ordinals, e.chunk_ids
from openbook.dataset_examples d
join openbook.examples e on e.id = d.example_id
where d.version_id = %(version)s and d.split = %(split)s
order by e.sha256
