-- The predicate as a filter.
select openbook.predicate_filter(%(predicate)s);
