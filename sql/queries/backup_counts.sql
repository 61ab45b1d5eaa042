select (select max(version) from openbook.schema_migrations) as version,
       (select count(*) from openbook.documents where version_id is not null) as documents,
       (select count(*) from openbook.embeddings) as embeddings,
       (select count(*) from openbook.conversations) as conversations,
       (select count(*) from openbook.dataset_versions) as datasets,
       current_setting('server_version') as server;
