select openbook.remember_query(%(model)s, %(query)s, %(embedding)s);
