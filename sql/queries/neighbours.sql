select n.distance, n.section, n.page, n.text, n.chunk_id
from openbook.neighbours(%(chunk)s::bigint, %(before)s::integer, %(after)s::integer) n
order by n.distance;
