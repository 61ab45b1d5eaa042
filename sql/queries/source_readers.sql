update sources set readers = %(readers)s where root = %(root)s and readers <> %(readers)s;
