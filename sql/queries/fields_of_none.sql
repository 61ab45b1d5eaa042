-- Those of the names that the metadata of no current document of the collection has.
select asked.name
from jsonb_array_elements_text(%(names)s) asked (name)
where not exists (
    select from analytics.documents d
    where d.collection = %(collection)s and d.metadata ? asked.name)
order by asked.name;
