-- Schema 3 to 4 of the embedded home: which model's answers are shown, where nobody names one. No row is rewritten.
CREATE TABLE layout (
    one    TEXT PRIMARY KEY, -- 'layout'
    served TEXT
) STRICT;
