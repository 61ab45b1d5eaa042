select id from openbook.conversations where user_pseudonym = any (%(pseudonyms)s);
