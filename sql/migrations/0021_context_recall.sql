-- What search showed is measured by the passages, and not by their documents alone.

comment on column answer_scores.measure is 'correct (every check holds), format, schema, exact, token_f1, citation_precision, citation_recall, grounded, refusal, retrieval_recall (of the expected documents), context_recall (of the expected answer''s sentences) (0 to 1, more is better); nll (mean per token, less is better).';
