select name, labels, value from analytics.vitals order by name, labels
