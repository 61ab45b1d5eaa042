select distinct item from answer_scores where answer_evaluation_id = %(evaluation)s;
