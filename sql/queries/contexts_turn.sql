-- What the documents' newest readings hold no longer becomes stale, and what they hold again is not.
update contexts c
set stale_since = case when c.stale_since is null then now() end
where c.model = %(model)s
  and c.document_id = any (%(documents)s)
  and (c.stale_since is not null) = exists (
      select
      from unnest(%(documents)s::bigint[], %(sha256s)s::bytea[]) as held (document_id, sha256)
      where held.document_id = c.document_id and held.sha256 = c.sha256);
