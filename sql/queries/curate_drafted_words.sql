select d.split <> 'train', e.words, e.signature
from drafted d
join openbook.examples e on e.id = d.example_id
order by d.ordinal
