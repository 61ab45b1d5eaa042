-- The caller holds the source's lock: whatever still says that it runs has died.
with abandoned as (
    update runs set outcome = 'abandoned', finished_at = now(),
                    error = 'its process ended without closing it'
    where source_id = %(source)s and outcome = 'running'
)
insert into runs (source_id, model_id) values (%(source)s, %(model)s) returning id;
