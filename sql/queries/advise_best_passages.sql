select a.place, h.text
from unnest(%(queries)s::text[]) with ordinality a (query, place)
cross join lateral openbook.search(
    query => a.query, k => 1, mode => 'keyword', collection => %(collection)s) h
