-- BM25's two constants, a collection's own.

alter table collections
    add column k1 double precision not null default 1.2 check (k1 > 0 and k1 <= 10),
    add column b double precision not null default 0.75 check (b between 0 and 1);
comment on column collections.k1 is 'BM25''s k1: how much a word''s further occurrences still count. Changed by openbook.set_bm25() alone, which makes the index anew.';
comment on column collections.b is 'BM25''s b: how much long passages are held back, from 0 to 1. Changed by openbook.set_bm25() alone.';
