-- Sales, stock and machines: new words in events and actions, no new table. An older version refuses the file instead of
-- taking the words for damage.
SELECT 1;
