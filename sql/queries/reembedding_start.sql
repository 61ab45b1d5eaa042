insert into reembeddings (model_id) values (%(model)s) returning id;
