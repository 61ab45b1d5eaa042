select openbook.remember_query(%(model)s, %(words)s, %(embedding)s);
