-- The index on the words of all users' scans (PostgreSQL) is not used any more: a search reads the user's scans.
-- It took 325 bytes per scan of 60 words, and a fifth of PostgreSQL's CPU time for an INSERT.
DROP INDEX IF EXISTS scans_words;
