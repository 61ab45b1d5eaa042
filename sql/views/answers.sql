create or replace view analytics.answers with (security_invoker = true) as
select a.conversation_id, a.ordinal, c.external_id as conversation, m.said_at, a.collection, a.strategy,
       m.model, a.chat_model_id, a.outcome, cardinality(m.chunk_ids) as chunks, m.chunk_ids,
       cardinality(a.cited_ids) as cited, a.cited_ids, a.removed_citations, a.context_tokens,
       m.input_tokens, m.output_tokens, a.retrieval_ms, a.generation_ms
from openbook.answers a
join openbook.conversations c on c.id = a.conversation_id
join openbook.messages m on m.conversation_id = a.conversation_id and m.ordinal = a.ordinal;

comment on view analytics.answers is 'One row an answer that Openbook gave itself.';
comment on column analytics.answers.conversation_id is 'The conversation that it was given in; see analytics.conversations.';
comment on column analytics.answers.ordinal is 'Its place among the conversation''s messages, from 1.';
comment on column analytics.answers.conversation is 'The name by which the asker goes on with it.';
comment on column analytics.answers.said_at is 'When it was whole.';
comment on column analytics.answers.collection is 'Whose documents it was to be answered from.';
comment on column analytics.answers.strategy is 'rag: passages that search found; long-context: all of the collection; none: the model alone.';
comment on column analytics.answers.model is 'The name and version of the model, or its configured name; null: none was configured.';
comment on column analytics.answers.chat_model_id is 'The registered model; null for one that is only configured.';
comment on column analytics.answers.outcome is 'answered; nothing found: retrieval found nothing good enough; no model: the passages themselves were shown; failed: the endpoint gave no whole answer.';
comment on column analytics.answers.chunks is 'How many chunks were shown to the model.';
comment on column analytics.answers.chunk_ids is 'Which ones, best first; see analytics.chunks.';
comment on column analytics.answers.cited is 'How many of them stand behind its citations.';
comment on column analytics.answers.cited_ids is 'Which ones, in the order of their citation.';
comment on column analytics.answers.removed_citations is 'Citations that were taken out: of what was not shown, or of words that do not stand there.';
comment on column analytics.answers.context_tokens is 'Tokens of the passages in the prompt, as counted here: an estimate for models with another vocabulary.';
comment on column analytics.answers.input_tokens is 'Tokens of the whole prompt, as the endpoint counted.';
comment on column analytics.answers.output_tokens is 'Tokens of the answer, as the endpoint counted.';
comment on column analytics.answers.retrieval_ms is 'Milliseconds until its passages were found.';
comment on column analytics.answers.generation_ms is 'Milliseconds from the request to the model to its last word.';
