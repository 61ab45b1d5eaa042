update collections set strategy = %(strategy)s where name = %(collection)s;
