-- Whether anything is kept here that a restore would take away.
select exists (select from openbook.sources)
    or exists (select from openbook.conversations)
    or exists (select from openbook.golden_sets);
