-- The text of a document of a collection as readers see it, from a character on.
select substr(n.text, %(start)s::integer + 1, %(length)s::integer) as text,
       length(n.text) as characters
from (select openbook.my_principals() as mine) as rights
cross join documents d
join sources s on s.id = d.source_id
join collections c on c.id = s.collection_id
join versions v on v.id = d.version_id
join contents n on n.id = v.content_id
where c.name = %(collection)s and d.id = %(id)s
  and (rights.mine is null
       or d.readers && rights.mine and (v.readers && rights.mine) is not false);
