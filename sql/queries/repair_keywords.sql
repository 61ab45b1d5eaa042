select openbook.unseal('{}', %(ids)s::bigint[]);
