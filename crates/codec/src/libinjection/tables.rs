//! Keyword kinds and attack fingerprints of libinjection, as data.
//!
//! Written by `tools/libinjection-tables.py`; do not edit. The facts are libinjection's (copyright 2012-2016 Nick
//! Galbreath, BSD 3-clause, see `NOTICE`).

/// Words, phrases and two-character operators in capitals, each with the letter of its kind, in byte order.
#[rustfmt::skip]
pub(super) static KEYWORDS: [(&str, u8); 985] = [
    ("!!", b'o'), ("!<", b'o'), ("!=", b'o'), ("!>", b'o'), ("%=", b'o'), ("&&", b'&'), ("&=", b'o'), ("*=", b'o'),
    ("+=", b'o'), ("-=", b'o'), ("/=", b'o'), ("::", b'o'), (":=", b'o'), ("<<", b'o'), ("<=", b'o'), ("<>", b'o'),
    ("<@", b'o'), (">=", b'o'), (">>", b'o'), ("@>", b'o'), ("ABORT", b'k'), ("ABS", b'f'), ("ACCESSIBLE", b'k'),
    ("ACOS", b'f'), ("ADDDATE", b'f'), ("ADDTIME", b'f'), ("AES_DECRYPT", b'f'), ("AES_ENCRYPT", b'f'),
    ("AGAINST", b'k'), ("AGE", b'f'), ("ALL_USERS", b'k'), ("ALTER", b'k'), ("ALTER DOMAIN", b'k'),
    ("ALTER TABLE", b'k'), ("ANALYZE", b'k'), ("AND", b'&'), ("ANY", b'f'), ("ANYARRAY", b't'), ("ANYELEMENT", b't'),
    ("ANYNONARRY", b't'), ("APPLOCK_MODE", b'f'), ("APPLOCK_TEST", b'f'), ("APP_NAME", b'f'), ("ARRAY_AGG", b'f'),
    ("ARRAY_CAT", b'f'), ("ARRAY_DIM", b'f'), ("ARRAY_FILL", b'f'), ("ARRAY_LENGTH", b'f'), ("ARRAY_LOWER", b'f'),
    ("ARRAY_NDIMS", b'f'), ("ARRAY_PREPEND", b'f'), ("ARRAY_TO_JSON", b'f'), ("ARRAY_TO_STRING", b'f'),
    ("ARRAY_UPPER", b'f'), ("AS", b'k'), ("ASC", b'k'), ("ASCII", b'f'), ("ASENSITIVE", b'k'), ("ASIN", b'f'),
    ("ASSEMBLYPROPERTY", b'f'), ("ASYMKEY_ID", b'f'), ("AT TIME", b'n'), ("AT TIME ZONE", b'k'), ("ATAN", b'f'),
    ("ATAN2", b'f'), ("AUTOINCREMENT", b'k'), ("AVG", b'f'), ("BEFORE", b'k'), ("BEGIN", b'T'),
    ("BEGIN DECLARE", b'T'), ("BEGIN GOTO", b'T'), ("BEGIN TRY", b'T'), ("BEGIN TRY DECLARE", b'T'),
    ("BENCHMARK", b'f'), ("BETWEEN", b'o'), ("BIGINT", b't'), ("BIGSERIAL", b't'), ("BIN", b'f'), ("BINARY", b't'),
    ("BINARY_DOUBLE_INFINITY", b'1'), ("BINARY_DOUBLE_NAN", b'1'), ("BINARY_FLOAT_INFINITY", b'1'),
    ("BINARY_FLOAT_NAN", b'1'), ("BINBINARY", b'f'), ("BIT_AND", b'f'), ("BIT_COUNT", b'f'), ("BIT_LENGTH", b'f'),
    ("BIT_OR", b'f'), ("BIT_XOR", b'f'), ("BLOB", b'k'), ("BOOLEAN", b't'), ("BOOL_AND", b'f'), ("BOOL_OR", b'f'),
    ("BOTH", b'k'), ("BTRIM", b'f'), ("BY", b'n'), ("BYTEA", b't'), ("CALL", b'T'), ("CASCADE", b'k'), ("CASE", b'E'),
    ("CAST", b'f'), ("CBOOL", b'f'), ("CBRT", b'f'), ("CBYTE", b'f'), ("CCUR", b'f'), ("CDATE", b'f'), ("CDBL", b'f'),
    ("CEIL", b'f'), ("CEILING", b'f'), ("CERTENCODED", b'f'), ("CERTPRIVATEKEY", b'f'), ("CERT_ID", b'f'),
    ("CERT_PROPERTY", b'f'), ("CHANGE", b'k'), ("CHANGES", b'f'), ("CHAR", b'f'), ("CHARACTER", b't'),
    ("CHARACTER VARYING", b't'), ("CHARACTER_LENGTH", b'f'), ("CHARINDEX", b'f'), ("CHARSET", b'f'),
    ("CHAR_LENGTH", b'f'), ("CHDIR", b'f'), ("CHDRIVE", b'f'), ("CHECK", b'n'), ("CHECKSUM_AGG", b'f'),
    ("CHOOSE", b'f'), ("CHR", b'f'), ("CINT", b'f'), ("CLNG", b'f'), ("CLOCK_TIMESTAMP", b'f'), ("COALESCE", b'f'),
    ("COERCIBILITY", b'f'), ("COLLATE", b'A'), ("COLLATION", b'f'), ("COLLATIONPROPERTY", b'f'), ("COLUMN", b'k'),
    ("COLUMNPROPERTY", b'f'), ("COLUMNS_UPDATED", b'f'), ("COL_LENGTH", b'f'), ("COL_NAME", b'f'), ("COMPRESS", b'f'),
    ("CONCAT", b'f'), ("CONCAT_WS", b'f'), ("CONDITION", b'k'), ("CONNECTION_ID", b'f'), ("CONSTRAINT", b'k'),
    ("CONTINUE", b'k'), ("CONV", b'f'), ("CONVERT", b'f'), ("CONVERT_FROM", b'f'), ("CONVERT_TO", b'f'),
    ("CONVERT_TZ", b'f'), ("COS", b'f'), ("COT", b'f'), ("COUNT", b'f'), ("COUNT_BIG", b'k'), ("CRC32", b'f'),
    ("CREATE", b'E'), ("CREATE OR", b'n'), ("CREATE OR REPLACE", b'T'), ("CROSS", b'n'), ("CROSS JOIN", b'k'),
    ("CSNG", b'f'), ("CSTRING", b't'), ("CTXSYS.DRITHSX.SN", b'f'), ("CUME_DIST", b'f'), ("CURDATE", b'f'),
    ("CURDIR", b'f'), ("CURRENT DATE", b'v'), ("CURRENT DEGREE", b'v'), ("CURRENT FUNCTION", b'v'),
    ("CURRENT FUNCTION PATH", b'v'), ("CURRENT PATH", b'v'), ("CURRENT SCHEMA", b'v'), ("CURRENT SERVER", b'v'),
    ("CURRENT TIME", b'v'), ("CURRENT TIMEZONE", b'v'), ("CURRENTUSER", b'f'), ("CURRENT_DATABASE", b'f'),
    ("CURRENT_DATE", b'v'), ("CURRENT_PATH", b'v'), ("CURRENT_QUERY", b'f'), ("CURRENT_SCHEMA", b'f'),
    ("CURRENT_SCHEMAS", b'f'), ("CURRENT_SERVER", b'v'), ("CURRENT_SETTING", b'f'), ("CURRENT_TIME", b'v'),
    ("CURRENT_TIMESTAMP", b'v'), ("CURRENT_TIMEZONE", b'v'), ("CURRENT_USER", b'v'), ("CURRVAL", b'f'),
    ("CURSOR", b'k'), ("CURSOR_STATUS", b'f'), ("CURTIME", b'f'), ("CVAR", b'f'), ("DATABASE", b'n'),
    ("DATABASEPROPERTYEX", b'f'), ("DATABASES", b'k'), ("DATABASE_PRINCIPAL_ID", b'f'), ("DATALENGTH", b'f'),
    ("DATE", b'f'), ("DATEADD", b'f'), ("DATEDIFF", b'f'), ("DATEFROMPARTS", b'f'), ("DATENAME", b'f'),
    ("DATEPART", b'f'), ("DATESERIAL", b'f'), ("DATETIME2FROMPARTS", b'f'), ("DATETIMEFROMPARTS", b'f'),
    ("DATETIMEOFFSETFROMPARTS", b'f'), ("DATEVALUE", b'f'), ("DATE_ADD", b'f'), ("DATE_FORMAT", b'f'),
    ("DATE_PART", b'f'), ("DATE_SUB", b'f'), ("DATE_TRUNC", b'f'), ("DAVG", b'f'), ("DAY", b'f'), ("DAYNAME", b'f'),
    ("DAYOFMONTH", b'f'), ("DAYOFWEEK", b'f'), ("DAYOFYEAR", b'f'), ("DAY_HOUR", b'k'), ("DAY_MICROSECOND", b'k'),
    ("DAY_MINUTE", b'k'), ("DAY_SECOND", b'k'), ("DBMS_LOCK.SLEEP", b'f'), ("DBMS_PIPE.RECEIVE_MESSAGE", b'f'),
    ("DBMS_UTILITY.SQLID_TO_SQLHASH", b'f'), ("DB_ID", b'f'), ("DB_NAME", b'f'), ("DCOUNT", b'f'), ("DEC", b'k'),
    ("DECIMAL", b't'), ("DECLARE", b'T'), ("DECODE", b'f'), ("DECRYPTBYASMKEY", b'f'), ("DECRYPTBYCERT", b'f'),
    ("DECRYPTBYKEY", b'f'), ("DECRYPTBYKEYAUTOCERT", b'f'), ("DECRYPTBYPASSPHRASE", b'f'), ("DEFAULT", b'k'),
    ("DEGREES", b'f'), ("DELAY", b'k'), ("DELAYED", b'k'), ("DELETE", b'T'), ("DENSE_RANK", b'f'), ("DESC", b'k'),
    ("DESCRIBE", b'k'), ("DES_DECRYPT", b'f'), ("DES_ENCRYPT", b'f'), ("DETERMINISTIC", b'k'), ("DFIRST", b'f'),
    ("DIFFERENCE", b'f'), ("DISTINCT", b'k'), ("DISTINCTROW", b'k'), ("DIV", b'o'), ("DLAST", b'f'), ("DLOOKUP", b'f'),
    ("DMAX", b'f'), ("DMIN", b'f'), ("DO", b'n'), ("DOUBLE", b't'), ("DOUBLE PRECISION", b't'), ("DROP", b'T'),
    ("DSUM", b'f'), ("DUAL", b'n'), ("EACH", b'k'), ("ELSE", b'k'), ("ELSEIF", b'k'), ("ELT", b'f'),
    ("ENCLOSED", b'k'), ("ENCODE", b'f'), ("ENCRYPT", b'f'), ("ENCRYPTBYASMKEY", b'f'), ("ENCRYPTBYCERT", b'f'),
    ("ENCRYPTBYKEY", b'f'), ("ENCRYPTBYPASSPHRASE", b'f'), ("ENUM_FIRST", b'f'), ("ENUM_LAST", b'f'),
    ("ENUM_RANGE", b'f'), ("EOMONTH", b'f'), ("EQV", b'o'), ("ESCAPED", b'k'), ("EVENTDATA", b'f'), ("EXCEPT", b'U'),
    ("EXEC", b'T'), ("EXECUTE", b'T'), ("EXECUTE AS", b'E'), ("EXECUTE AS LOGIN", b'E'), ("EXISTS", b'f'),
    ("EXIT", b'k'), ("EXP", b'f'), ("EXPLAIN", b'k'), ("EXPORT_SET", b'f'), ("EXTRACT", b'f'), ("EXTRACTVALUE", b'f'),
    ("EXTRACT_VALUE", b'f'), ("FALSE", b'1'), ("FETCH", b'k'), ("FIELD", b'f'), ("FILEDATETIME", b'f'),
    ("FILEGROUPPROPERTY", b'f'), ("FILEGROUP_ID", b'f'), ("FILEGROUP_NAME", b'f'), ("FILELEN", b'f'),
    ("FILEPROPERTY", b'f'), ("FILETOBLOB", b'f'), ("FILETOCLOB", b'f'), ("FILE_ID", b'f'), ("FILE_IDEX", b'f'),
    ("FILE_NAME", b'f'), ("FIND_IN_SET", b'f'), ("FIRST_VALUE", b'f'), ("FLOAT", b't'), ("FLOAT4", b't'),
    ("FLOAT8", b't'), ("FLOOR", b'f'), ("FN_VIRTUALFILESTATS", b'f'), ("FOR", b'n'), ("FOR UPDATE", b'k'),
    ("FOR UPDATE NOWAIT", b'k'), ("FOR UPDATE OF", b'k'), ("FOR UPDATE SKIP", b'k'), ("FOR UPDATE SKIP LOCKED", b'k'),
    ("FOR UPDATE WAIT", b'k'), ("FORCE", b'k'), ("FOREIGN", b'k'), ("FORMAT", b'f'), ("FOUND_ROWS", b'f'),
    ("FROM", b'k'), ("FROM_BASE64", b'f'), ("FROM_DAYS", b'f'), ("FROM_UNIXTIME", b'f'), ("FULL JOIN", b'k'),
    ("FULL OUTER", b'k'), ("FULL OUTER JOIN", b'k'), ("FULLTEXT", b'k'), ("FULLTEXTCATALOGPROPERTY", b'f'),
    ("FULLTEXTSERVICEPROPERTY", b'f'), ("FUNCTION", b'k'), ("GENERATE_SERIES", b'f'), ("GENERATE_SUBSCRIPTS", b'f'),
    ("GETATTR", b'f'), ("GETDATE", b'f'), ("GETUTCDATE", b'f'), ("GET_BIT", b'f'), ("GET_BYTE", b'f'),
    ("GET_FORMAT", b'f'), ("GET_LOCK", b'f'), ("GO", b'T'), ("GOTO", b'T'), ("GRANT", b'k'), ("GREATEST", b'f'),
    ("GROUP", b'n'), ("GROUP BY", b'B'), ("GROUPING", b'f'), ("GROUPING_ID", b'f'), ("GROUP_CONCAT", b'f'),
    ("HANDLER", b'T'), ("HASHBYTES", b'f'), ("HAS_PERMS_BY_NAME", b'f'), ("HAVING", b'B'), ("HEX", b'f'),
    ("HIGH_PRIORITY", b'k'), ("HOST_NAME", b'f'), ("HOUR", b'f'), ("HOUR_MICROSECOND", b'k'), ("HOUR_MINUTE", b'k'),
    ("HOUR_SECOND", b'k'), ("IDENTIFY", b'f'), ("IDENT_CURRENT", b'f'), ("IDENT_INCR", b'f'), ("IDENT_SEED", b'f'),
    ("IF", b'f'), ("IF EXISTS", b'f'), ("IF NOT", b'f'), ("IF NOT EXISTS", b'f'), ("IFF", b'f'), ("IFNULL", b'f'),
    ("IGNORE", b'k'), ("IIF", b'f'), ("IN", b'k'), ("IN BOOLEAN", b'n'), ("IN BOOLEAN MODE", b'k'), ("INDEX", b'k'),
    ("INDEXKEY_PROPERTY", b'f'), ("INDEXPROPERTY", b'f'), ("INDEX_COL", b'f'), ("INET_ATON", b'f'),
    ("INET_NTOA", b'f'), ("INFILE", b'k'), ("INITCAP", b'f'), ("INNER", b'k'), ("INNER JOIN", b'k'), ("INOUT", b'k'),
    ("INSENSITIVE", b'k'), ("INSERT", b'E'), ("INSERT DELAYED", b'E'), ("INSERT DELAYED INTO", b'T'),
    ("INSERT HIGH_PRIORITY", b'E'), ("INSERT HIGH_PRIORITY INTO", b'T'), ("INSERT IGNORE", b'E'),
    ("INSERT IGNORE INTO", b'T'), ("INSERT INTO", b'T'), ("INSERT LOW_PRIORITY", b'E'),
    ("INSERT LOW_PRIORITY INTO", b'T'), ("INSTR", b'f'), ("INSTRREV", b'f'), ("INT", b't'), ("INT1", b't'),
    ("INT2", b't'), ("INT3", b't'), ("INT4", b't'), ("INT8", b't'), ("INTEGER", b't'), ("INTERSECT", b'U'),
    ("INTERSECT ALL", b'U'), ("INTERVAL", b'k'), ("INTO", b'k'), ("INTO DUMPFILE", b'k'), ("INTO OUTFILE", b'k'),
    ("IS", b'o'), ("IS DISTINCT", b'n'), ("IS DISTINCT FROM", b'o'), ("IS NOT", b'o'), ("IS NOT DISTINCT", b'n'),
    ("IS NOT DISTINCT FROM", b'o'), ("ISDATE", b'f'), ("ISEMPTY", b'f'), ("ISFINITE", b'f'), ("ISNULL", b'f'),
    ("ISNUMERIC", b'f'), ("IS_FREE_LOCK", b'f'), ("IS_MEMBER", b'f'), ("IS_OBJECTSIGNED", b'f'),
    ("IS_ROLEMEMBER", b'f'), ("IS_SRVROLEMEMBER", b'f'), ("IS_USED_LOCK", b'f'), ("ITERATE", b'k'), ("JOIN", b'k'),
    ("JSON_KEYS", b'f'), ("JULIANDAY", b'f'), ("JUSTIFY_DAYS", b'f'), ("JUSTIFY_HOURS", b'f'),
    ("JUSTIFY_INTERVAL", b'f'), ("KEYS", b'k'), ("KEY_GUID", b'f'), ("KEY_ID", b'f'), ("KILL", b'k'), ("LAG", b'f'),
    ("LASTVAL", b'f'), ("LAST_INSERT_ID", b'f'), ("LAST_INSERT_ROWID", b'f'), ("LAST_VALUE", b'f'), ("LCASE", b'f'),
    ("LEAD", b'f'), ("LEADING", b'k'), ("LEAST", b'f'), ("LEAVE", b'k'), ("LEFT", b'f'), ("LEFT JOIN", b'k'),
    ("LEFT OUTER", b'k'), ("LEFT OUTER JOIN", b'k'), ("LENGTH", b'f'), ("LIKE", b'o'), ("LIMIT", b'B'),
    ("LINEAR", b'k'), ("LINES", b'k'), ("LN", b'f'), ("LOAD", b'k'), ("LOAD DATA", b'T'), ("LOAD XML", b'T'),
    ("LOAD_EXTENSION", b'f'), ("LOAD_FILE", b'f'), ("LOCALTIME", b'v'), ("LOCALTIMESTAMP", b'v'), ("LOCATE", b'f'),
    ("LOCK", b'n'), ("LOCK IN", b'n'), ("LOCK IN SHARE", b'n'), ("LOCK IN SHARE MODE", b'k'), ("LOCK TABLE", b'k'),
    ("LOCK TABLES", b'k'), ("LOG", b'f'), ("LOG10", b'f'), ("LOG2", b'f'), ("LONGBLOB", b'k'), ("LONGTEXT", b'k'),
    ("LOOP", b'k'), ("LOWER", b'f'), ("LOWER_INC", b'f'), ("LOWER_INF", b'f'), ("LOW_PRIORITY", b'k'), ("LPAD", b'f'),
    ("LTRIM", b'f'), ("MAKEDATE", b'f'), ("MAKE_SET", b'f'), ("MASKLEN", b'f'), ("MASTER_BIND", b'k'),
    ("MASTER_POS_WAIT", b'f'), ("MASTER_SSL_VERIFY_SERVER_CERT", b'k'), ("MATCH", b'k'), ("MAX", b'f'),
    ("MAXVALUE", b'k'), ("MD5", b'f'), ("MEDIUMBLOB", b'k'), ("MEDIUMINT", b'k'), ("MEDIUMTEXT", b'k'),
    ("MERGE", b'k'), ("MICROSECOND", b'f'), ("MID", b'f'), ("MIDDLEINT", b'k'), ("MIN", b'f'), ("MINUTE", b'f'),
    ("MINUTE_MICROSECOND", b'k'), ("MINUTE_SECOND", b'k'), ("MKDIR", b'f'), ("MOD", b'o'), ("MODE", b'n'),
    ("MODIFIES", b'k'), ("MONEY", b't'), ("MONTH", b'f'), ("MONTHNAME", b'f'), ("NAME_CONST", b'f'), ("NATURAL", b'n'),
    ("NATURAL FULL", b'k'), ("NATURAL FULL OUTER JOIN", b'k'), ("NATURAL INNER", b'k'), ("NATURAL JOIN", b'k'),
    ("NATURAL LEFT", b'k'), ("NATURAL LEFT OUTER", b'k'), ("NATURAL LEFT OUTER JOIN", b'k'), ("NATURAL OUTER", b'k'),
    ("NATURAL RIGHT", b'k'), ("NATURAL RIGHT OUTER JOIN", b'k'), ("NETMASK", b'f'), ("NEXT VALUE", b'n'),
    ("NEXT VALUE FOR", b'k'), ("NEXTVAL", b'f'), ("NOT", b'o'), ("NOT BETWEEN", b'o'), ("NOT IN", b'k'),
    ("NOT LIKE", b'o'), ("NOT REGEXP", b'o'), ("NOT RLIKE", b'o'), ("NOT SIMILAR", b'o'), ("NOT SIMILAR TO", b'o'),
    ("NOTNULL", b'k'), ("NOW", b'f'), ("NOWAIT", b'k'), ("NO_WRITE_TO_BINLOG", b'k'), ("NTH_VALUE", b'f'),
    ("NTILE", b'f'), ("NULL", b'v'), ("NULLIF", b'f'), ("NUMERIC", b't'), ("NZ", b'f'), ("OBJECTPROPERTY", b'f'),
    ("OBJECTPROPERTYEX", b'f'), ("OBJECT_DEFINITION", b'f'), ("OBJECT_ID", b'f'), ("OBJECT_NAME", b'f'),
    ("OBJECT_SCHEMA_NAME", b'f'), ("OCT", b'f'), ("OCTET_LENGTH", b'f'), ("OFFSET", b'k'), ("OID", b't'),
    ("OLD_PASSWORD", b'f'), ("ONE_SHOT", b'k'), ("OPEN", b'k'), ("OPENDATASOURCE", b'f'), ("OPENQUERY", b'f'),
    ("OPENROWSET", b'f'), ("OPENXML", b'f'), ("OPTIMIZE", b'k'), ("OPTION", b'k'), ("OPTIONALLY", b'k'), ("OR", b'&'),
    ("ORD", b'f'), ("ORDER", b'n'), ("ORDER BY", b'B'), ("ORIGINAL_DB_NAME", b'f'), ("ORIGINAL_LOGIN", b'f'),
    ("OUT", b'n'), ("OUTER", b'n'), ("OUTFILE", b'k'), ("OVERLAPS", b'f'), ("OVERLAY", b'f'), ("OWN3D", b'k'),
    ("OWN3D BY", b'B'), ("PARSENAME", b'f'), ("PARTITION", b'k'), ("PARTITION BY", b'B'), ("PASSWORD", b'n'),
    ("PATHINDEX", b'f'), ("PATINDEX", b'f'), ("PERCENTILE_COUNT", b'f'), ("PERCENTILE_DISC", b'f'),
    ("PERCENTILE_RANK", b'f'), ("PERCENT_RANK", b'f'), ("PERIOD_ADD", b'f'), ("PERIOD_DIFF", b'f'),
    ("PERMISSIONS", b'f'), ("PG_ADVISORY_LOCK", b'f'), ("PG_BACKEND_PID", b'f'), ("PG_CANCEL_BACKEND", b'f'),
    ("PG_CLIENT_ENCODING", b'f'), ("PG_CONF_LOAD_TIME", b'f'), ("PG_CREATE_RESTORE_POINT", b'f'),
    ("PG_HAS_ROLE", b'f'), ("PG_IS_IN_RECOVERY", b'f'), ("PG_IS_OTHER_TEMP_SCHEMA", b'f'),
    ("PG_LISTENING_CHANNELS", b'f'), ("PG_LS_DIR", b'f'), ("PG_MY_TEMP_SCHEMA", b'f'),
    ("PG_POSTMASTER_START_TIME", b'f'), ("PG_READ_BINARY_FILE", b'f'), ("PG_READ_FILE", b'f'),
    ("PG_RELOAD_CONF", b'f'), ("PG_ROTATE_LOGFILE", b'f'), ("PG_SLEEP", b'f'), ("PG_START_BACKUP", b'f'),
    ("PG_STAT_FILE", b'f'), ("PG_STOP_BACKUP", b'f'), ("PG_SWITCH_XLOG", b'f'), ("PG_TERMINATE_BACKEND", b'f'),
    ("PG_TRIGGER_DEPTH", b'f'), ("PI", b'f'), ("POSITION", b'f'), ("POW", b'f'), ("POWER", b'f'), ("PRECISION", b'k'),
    ("PREVIOUS VALUE", b'n'), ("PREVIOUS VALUE FOR", b'k'), ("PRIMARY", b'k'), ("PRINT", b'T'), ("PROCEDURE", b'k'),
    ("PROCEDURE ANALYSE", b'f'), ("PUBLISHINGSERVERNAME", b'f'), ("PURGE", b'k'), ("PWDCOMPARE", b'f'),
    ("PWDENCRYPT", b'f'), ("QUARTER", b'f'), ("QUOTE", b'f'), ("QUOTENAME", b'f'), ("QUOTE_IDENT", b'f'),
    ("QUOTE_LITERAL", b'f'), ("QUOTE_NULLABLE", b'f'), ("RADIANS", b'f'), ("RAISEERROR", b'E'), ("RAND", b'f'),
    ("RANDOM", b'f'), ("RANDOMBLOB", b'f'), ("RANGE", b'k'), ("RANK", b'f'), ("READ", b'k'), ("READ WRITE", b'k'),
    ("READS", b'k'), ("READ_WRITE", b'k'), ("REAL", b't'), ("REFERENCES", b'k'), ("REGCLASS", b't'),
    ("REGCONFIG", b't'), ("REGDICTIONARY", b't'), ("REGEXP", b'o'), ("REGEXP_INSTR", b'f'), ("REGEXP_MATCHES", b'f'),
    ("REGEXP_REPLACE", b'f'), ("REGEXP_SPLIT_TO_ARRAY", b'f'), ("REGEXP_SPLIT_TO_TABLE", b'f'),
    ("REGEXP_SUBSTR", b'f'), ("REGOPER", b't'), ("REGOPERATOR", b't'), ("REGPROC", b't'), ("REGPROCEDURE", b't'),
    ("REGTYPE", b't'), ("RELEASE", b'k'), ("RELEASE_LOCK", b'f'), ("RENAME", b'k'), ("REPEAT", b'k'),
    ("REPLACE", b'k'), ("REPLICATE", b'f'), ("REQUIRE", b'k'), ("RESIGNAL", b'k'), ("RESTRICT", b'k'),
    ("RETURN", b'k'), ("REVERSE", b'f'), ("REVOKE", b'k'), ("RIGHT", b'n'), ("RIGHT JOIN", b'k'),
    ("RIGHT OUTER", b'k'), ("RIGHT OUTER JOIN", b'k'), ("RLIKE", b'o'), ("ROUND", b'f'), ("ROW", b'f'),
    ("ROW_COUNT", b'f'), ("ROW_NUMBER", b'f'), ("ROW_TO_JSON", b'f'), ("RPAD", b'f'), ("RTRIM", b'f'),
    ("SCHAMA_NAME", b'f'), ("SCHEMA", b'k'), ("SCHEMAS", b'k'), ("SCHEMA_ID", b'f'), ("SCOPE_IDENTITY", b'f'),
    ("SECOND_MICROSECOND", b'k'), ("SEC_TO_TIME", b'f'), ("SELECT", b'E'), ("SELECT ALL", b'E'),
    ("SELECT DISTINCT", b'E'), ("SENSITIVE", b'k'), ("SEPARATOR", b'k'), ("SERIAL", b't'), ("SERIAL2", b't'),
    ("SERIAL4", b't'), ("SERIAL8", b't'), ("SERVERPROPERTY", b'f'), ("SESSION_USER", b'f'), ("SET", b'E'),
    ("SETATTR", b'f'), ("SETSEED", b'f'), ("SETVAL", b'f'), ("SET_BIT", b'f'), ("SET_BYTE", b'f'),
    ("SET_CONFIG", b'f'), ("SET_MASKLEN", b'f'), ("SHA", b'f'), ("SHA1", b'f'), ("SHA2", b'f'), ("SHOW", b'n'),
    ("SHUTDOWN", b'T'), ("SIGN", b'f'), ("SIGNAL", b'k'), ("SIGNBYASMKEY", b'f'), ("SIGNBYCERT", b'f'),
    ("SIMILAR", b'k'), ("SIMILAR TO", b'o'), ("SIN", b'f'), ("SLEEP", b'f'), ("SMALLDATETIMEFROMPARTS", b'f'),
    ("SMALLINT", b't'), ("SMALLSERIAL", b't'), ("SOME", b'f'), ("SOUNDEX", b'f'), ("SOUNDS", b'o'),
    ("SOUNDS LIKE", b'o'), ("SPACE", b'f'), ("SPATIAL", b'k'), ("SPECIFIC", b'k'), ("SPLIT_PART", b'f'), ("SQL", b'k'),
    ("SQLEXCEPTION", b'k'), ("SQLITE_VERSION", b'f'), ("SQLSTATE", b'k'), ("SQLWARNING", b'k'),
    ("SQL_BIG_RESULT", b'k'), ("SQL_BUFFER_RESULT", b'k'), ("SQL_CACHE", b'k'), ("SQL_CALC_FOUND_ROWS", b'k'),
    ("SQL_NO_CACHE", b'k'), ("SQL_SMALL_RESULT", b'k'), ("SQL_VARIANT_PROPERTY", b'f'), ("SQRT", b'f'), ("SSL", b'k'),
    ("STARTING", b'k'), ("STATEMENT_TIMESTAMP", b'f'), ("STATS_DATE", b'f'), ("STDDEV", b'f'), ("STDDEV_POP", b'f'),
    ("STDDEV_SAMP", b'f'), ("STRAIGHT_JOIN", b'k'), ("STRCMP", b'f'), ("STRCOMP", b'f'), ("STRCONV", b'f'),
    ("STRING_AGG", b'f'), ("STRING_TO_ARRAY", b'f'), ("STRPOS", b'f'), ("STR_TO_DATE", b'f'), ("STUFF", b'f'),
    ("SUBDATE", b'f'), ("SUBSTR", b'f'), ("SUBSTRING", b'f'), ("SUBSTRING_INDEX", b'f'), ("SUBTIME", b'f'),
    ("SUM", b'f'), ("SUSER_ID", b'f'), ("SUSER_NAME", b'f'), ("SUSER_SID", b'f'), ("SUSER_SNAME", b'f'),
    ("SWITCHOFFET", b'f'), ("SYS.DATABASE_NAME", b'n'), ("SYS.FN_BUILTIN_PERMISSIONS", b'f'),
    ("SYS.FN_GET_AUDIT_FILE", b'f'), ("SYS.FN_MY_PERMISSIONS", b'f'), ("SYS.STRAGG", b'f'), ("SYSCOLUMNS", b'k'),
    ("SYSDATE", b'f'), ("SYSDATETIME", b'f'), ("SYSDATETIMEOFFSET", b'f'), ("SYSOBJECTS", b'k'), ("SYSTEM_USER", b'f'),
    ("SYSUSERS", b'k'), ("SYSUTCDATETME", b'f'), ("TABLE", b'n'), ("TAN", b'f'), ("TERMINATED", b'k'),
    ("TERTIARY_WEIGHTS", b'f'), ("TEXT", b't'), ("TEXTPOS", b'f'), ("TEXTPTR", b'f'), ("TEXTVALID", b'f'),
    ("THEN", b'k'), ("TIME", b'k'), ("TIMEDIFF", b'f'), ("TIMEFROMPARTS", b'f'), ("TIMEOFDAY", b'f'),
    ("TIMESERIAL", b'f'), ("TIMESTAMP", b't'), ("TIMESTAMPADD", b'f'), ("TIMEVALUE", b'f'), ("TIME_FORMAT", b'f'),
    ("TIME_TO_SEC", b'f'), ("TINYBLOB", b'k'), ("TINYINT", b'k'), ("TINYTEXT", b'k'), ("TODATETIMEOFFSET", b'f'),
    ("TOP", b'k'), ("TOTAL", b'f'), ("TOTAL_CHANGES", b'f'), ("TO_ASCII", b'f'), ("TO_BASE64", b'f'),
    ("TO_CHAR", b'f'), ("TO_DATE", b'f'), ("TO_DAYS", b'f'), ("TO_HEX", b'f'), ("TO_NUMBER", b'f'),
    ("TO_SECONDS", b'f'), ("TO_TIMESTAMP", b'f'), ("TRAILING", b'n'), ("TRANSACTION_TIMESTAMP", b'f'),
    ("TRANSLATE", b'f'), ("TRIGGER", b'k'), ("TRIGGER_NESTLEVEL", b'f'), ("TRIM", b'f'), ("TRUE", b'1'),
    ("TRUNC", b'f'), ("TRUNCATE", b'f'), ("TRY", b'T'), ("TRY_CAST", b'f'), ("TRY_CONVERT", b'f'), ("TRY_PARSE", b'f'),
    ("TYPEOF", b'f'), ("TYPEPROPERTY", b'f'), ("TYPE_ID", b'f'), ("TYPE_NAME", b'f'), ("UCASE", b'f'),
    ("UESCAPE", b'o'), ("UNCOMPRESS", b'f'), ("UNCOMPRESS_LENGTH", b'f'), ("UNDO", b'k'), ("UNHEX", b'f'),
    ("UNICODE", b'f'), ("UNION", b'U'), ("UNION ALL", b'U'), ("UNION ALL DISTINCT", b'U'), ("UNION DISTINCT", b'U'),
    ("UNION DISTINCT ALL", b'U'), ("UNIQUE", b'n'), ("UNIX_TIMESTAMP", b'f'), ("UNI_ON", b'U'), ("UNKNOWN", b'v'),
    ("UNLOCK", b'k'), ("UNNEST", b'f'), ("UNSIGNED", b'k'), ("UPDATE", b'E'), ("UPDATEXML", b'f'), ("UPPER", b'f'),
    ("UPPER_INC", b'f'), ("UPPER_INF", b'f'), ("USAGE", b'k'), ("USE", b'T'), ("USER", b'n'), ("USER_ID", b'n'),
    ("USER_LOCK.SLEEP", b'f'), ("USER_NAME", b'n'), ("USING", b'f'), ("UTC_DATE", b'k'), ("UTC_TIME", b'k'),
    ("UTC_TIMESTAMP", b'k'), ("UTL_HTTP.REQUEST", b'f'), ("UTL_INADDR.GET_HOST_ADDRESS", b'f'),
    ("UTL_INADDR.GET_HOST_NAME", b'f'), ("UUID", b'f'), ("UUID_SHORT", b'f'), ("VALUES", b'k'), ("VAR", b'f'),
    ("VARBINARY", b'k'), ("VARCHAR", b't'), ("VARCHARACTER", b'k'), ("VARIANCE", b'f'), ("VARP", b'f'),
    ("VARYING", b'k'), ("VAR_POP", b'f'), ("VAR_SAMP", b'f'), ("VERIFYSIGNEDBYASMKEY", b'f'),
    ("VERIFYSIGNEDBYCERT", b'f'), ("VERSION", b'f'), ("VOID", b't'), ("WAIT", b'k'), ("WAITFOR", b'n'),
    ("WAITFOR DELAY", b'E'), ("WAITFOR RECEIVE", b'E'), ("WAITFOR TIME", b'E'), ("WEEK", b'f'), ("WEEKDAY", b'f'),
    ("WEEKDAYNAME", b'f'), ("WEEKOFYEAR", b'f'), ("WHEN", b'k'), ("WHERE", b'k'), ("WHILE", b'T'),
    ("WIDTH_BUCKET", b'f'), ("WITH", b'n'), ("WITH ROLLUP", b'k'), ("XMLAGG", b'f'), ("XMLCOMMENT", b'f'),
    ("XMLCONCAT", b'f'), ("XMLELEMENT", b'f'), ("XMLEXISTS", b'f'), ("XMLFOREST", b'f'), ("XMLFORMAT", b'f'),
    ("XMLPI", b'f'), ("XMLROOT", b'f'), ("XMLTYPE", b'f'), ("XML_IS_WELL_FORMED", b'f'), ("XOR", b'&'),
    ("XPATH", b'f'), ("XPATH_EXISTS", b'f'), ("XP_EXECRESULTSET", b'k'), ("YEAR", b'f'), ("YEARWEEK", b'f'),
    ("YEAR_MONTH", b'k'), ("ZEROBLOB", b'f'), ("ZEROFILL", b'k'), ("^=", b'o'), ("_ARMSCII8", b't'), ("_ASCII", b't'),
    ("_BIG5", b't'), ("_BINARY", b't'), ("_CP1250", b't'), ("_CP1251", b't'), ("_CP1257", b't'), ("_CP850", b't'),
    ("_CP852", b't'), ("_CP866", b't'), ("_CP932", b't'), ("_DEC8", b't'), ("_EUCJPMS", b't'), ("_EUCKR", b't'),
    ("_GB2312", b't'), ("_GBK", b't'), ("_GEOSTD8", b't'), ("_GREEK", b't'), ("_HEBREW", b't'), ("_HP8", b't'),
    ("_KEYBCS2", b't'), ("_KOI8R", b't'), ("_KOI8U", b't'), ("_LATIN1", b't'), ("_LATIN2", b't'), ("_LATIN5", b't'),
    ("_LATIN7", b't'), ("_MACCE", b't'), ("_MACROMAN", b't'), ("_SJIS", b't'), ("_SWE7", b't'), ("_TIS620", b't'),
    ("_UJIS", b't'), ("_USC2", b't'), ("_UTF8", b't'), ("|/", b'o'), ("|=", b'o'), ("||", b'&'), ("~*", b'o'),
];

/// How many fingerprints [`FINGERPRINTS`] lists.
pub(super) const FINGERPRINT_COUNT: usize = 8367;

/// Fingerprints that mean SQL injection, in capitals, in byte order, each followed by one space.
#[rustfmt::skip]
pub(super) const FINGERPRINTS: &str = "\
&(1)O &(1)U &(1O( &(1OF &(1OS &(1OV &(F() &(F(1 &(F(F &(F(N &(F(S &(F(V &(N)O &(N)U &(NO( &(NOF &(NOS &(NOV &(S)O \
&(S)U &(SO( &(SO1 &(SOF &(SON &(SOS &(SOV &(V)O &(V)U &(VO( &(VOF &(VOS &1O(1 &1O(F &1O(N &1O(S &1O(V &1OF( &1OS( \
&1OS1 &1OSF &1OSU &1OSV &1OV( &1OVF &1OVO &1OVS &1OVU &1UE( &1UE1 &1UEF &1UEK &1UEN &1UES &1UEV &F()O &F()U &F(1) \
&F(1O &F(F( &F(N) &F(NO &F(S) &F(SO &F(V) &F(VO &NO(1 &NO(F &NO(N &NO(S &NO(V &NOF( &NOS( &NOS1 &NOSF &NOSU &NOSV \
&NOV( &NOVF &NOVO &NOVS &NOVU &NUE( &NUE1 &NUEF &NUEK &NUEN &NUES &NUEV &SO(1 &SO(F &SO(N &SO(S &SO(V &SO1( &SO1F \
&SO1N &SO1S &SO1U &SO1V &SOF( &SON( &SON1 &SONF &SONU &SOS( &SOS1 &SOSF &SOSU &SOSV &SOV( &SOVF &SOVO &SOVS &SOVU \
&SUE( &SUE1 &SUEF &SUEK &SUEN &SUES &SUEV &VO(1 &VO(F &VO(N &VO(S &VO(V &VOF( &VOS( &VOS1 &VOSF &VOSU &VOSV &VUE( \
&VUE1 &VUEF &VUEK &VUEN &VUES &VUEV )&(EK )&(EN )UE(1 )UE(F )UE(N )UE(S )UE(V )UE1K )UE1O )UEF( )UEK( )UEK1 )UEKF \
)UEKN )UEKS )UEKV )UENK )UENO )UESK )UESO )UEVK )UEVO 1&(1& 1&(1) 1&(1, 1&(1O 1&(E( 1&(E1 1&(EF 1&(EK 1&(EN 1&(EO \
1&(ES 1&(EV 1&(F( 1&(N& 1&(N) 1&(N, 1&(NO 1&(S& 1&(S) 1&(S, 1&(SO 1&(V& 1&(V) 1&(V, 1&(VO 1&1 1&1&( 1&1&1 1&1&F 1&1&N \
1&1&S 1&1&V 1&1)& 1&1)C 1&1)O 1&1)U 1&1; 1&1;C 1&1;E 1&1;T 1&1B( 1&1B1 1&1BF 1&1BN 1&1BS 1&1BV 1&1C 1&1EK 1&1EN 1&1F( \
1&1K( 1&1K1 1&1KF 1&1KN 1&1KS 1&1KV 1&1O( 1&1OF 1&1OS 1&1OV 1&1TN 1&1U 1&1U( 1&1U; 1&1UC 1&1UE 1&E(1 1&E(F 1&E(N 1&E(O \
1&E(S 1&E(V 1&E1 1&E1; 1&E1C 1&E1K 1&E1O 1&EF( 1&EK( 1&EK1 1&EKF 1&EKN 1&EKS 1&EKU 1&EKV 1&EN 1&EN; 1&ENC 1&ENK 1&ENO \
1&ES 1&ES; 1&ESC 1&ESK 1&ESO 1&EUE 1&EV 1&EV; 1&EVC 1&EVK 1&EVO 1&F() 1&F(1 1&F(E 1&F(F 1&F(N 1&F(S 1&F(V 1&K&( 1&K&1 \
1&K&F 1&K&N 1&K&S 1&K&V 1&K(1 1&K(F 1&K(N 1&K(S 1&K(V 1&K1O 1&KC 1&KF( 1&KNK 1&KO( 1&KO1 1&KOF 1&KOK 1&KON 1&KOS 1&KOV \
1&KSO 1&KVO 1&N&( 1&N&1 1&N&F 1&N&N 1&N&S 1&N&V 1&N)& 1&N)C 1&N)O 1&N)U 1&N; 1&N;C 1&N;E 1&N;T 1&NB( 1&NB1 1&NBF 1&NBN \
1&NBS 1&NBV 1&NC 1&NEN 1&NF( 1&NK( 1&NK1 1&NKF 1&NKN 1&NKS 1&NKV 1&NO( 1&NOF 1&NOS 1&NOV 1&NTN 1&NU 1&NU( 1&NU; 1&NUC \
1&NUE 1&S 1&S&( 1&S&1 1&S&F 1&S&N 1&S&S 1&S&V 1&S)& 1&S)C 1&S)O 1&S)U 1&S1 1&S1; 1&S1C 1&S; 1&S;C 1&S;E 1&S;T 1&SB( \
1&SB1 1&SBF 1&SBN 1&SBS 1&SBV 1&SC 1&SEK 1&SEN 1&SF( 1&SK( 1&SK1 1&SKF 1&SKN 1&SKS 1&SKV 1&SO( 1&SO1 1&SOF 1&SON 1&SOS \
1&SOV 1&STN 1&SU 1&SU( 1&SU; 1&SUC 1&SUE 1&SV 1&SV; 1&SVC 1&SVO 1&V 1&V&( 1&V&1 1&V&F 1&V&N 1&V&S 1&V&V 1&V)& 1&V)C \
1&V)O 1&V)U 1&V; 1&V;C 1&V;E 1&V;T 1&VB( 1&VB1 1&VBF 1&VBN 1&VBS 1&VBV 1&VC 1&VEK 1&VEN 1&VF( 1&VK( 1&VK1 1&VKF 1&VKN \
1&VKS 1&VKV 1&VO( 1&VOF 1&VOS 1&VS 1&VS; 1&VSC 1&VSO 1&VTN 1&VU 1&VU( 1&VU; 1&VUC 1&VUE 1(EF( 1(EKF 1(EKN 1(ENK 1(U(E \
1)&(1 1)&(E 1)&(F 1)&(N 1)&(S 1)&(V 1)&1 1)&1& 1)&1) 1)&1; 1)&1B 1)&1C 1)&1F 1)&1O 1)&1U 1)&F( 1)&N 1)&N& 1)&N) 1)&N; \
1)&NB 1)&NC 1)&NF 1)&NO 1)&NU 1)&S 1)&S& 1)&S) 1)&S; 1)&SB 1)&SC 1)&SF 1)&SO 1)&SU 1)&V 1)&V& 1)&V) 1)&V; 1)&VB 1)&VC \
1)&VF 1)&VO 1)&VU 1),(1 1),(F 1),(N 1),(S 1),(V 1);E( 1);E1 1);EF 1);EK 1);EN 1);EO 1);ES 1);EV 1);T( 1);T1 1);TF \
1);TK 1);TN 1);TO 1);TS 1);TV 1)B(1 1)B(F 1)B(N 1)B(S 1)B(V 1)B1 1)B1& 1)B1; 1)B1C 1)B1K 1)B1N 1)B1O 1)B1U 1)BF( 1)BN \
1)BN& 1)BN; 1)BNC 1)BNK 1)BNO 1)BNU 1)BS 1)BS& 1)BS; 1)BSC 1)BSK 1)BSO 1)BSU 1)BV 1)BV& 1)BV; 1)BVC 1)BVK 1)BVO 1)BVU \
1)C 1)E(1 1)E(F 1)E(N 1)E(S 1)E(V 1)E1C 1)E1O 1)EF( 1)EK( 1)EK1 1)EKF 1)EKN 1)EKS 1)EKV 1)ENC 1)ENO 1)ESC 1)ESO 1)EVC \
1)EVO 1)F(F 1)K(1 1)K(F 1)K(N 1)K(S 1)K(V 1)K1& 1)K1; 1)K1B 1)K1E 1)K1O 1)K1U 1)KB( 1)KB1 1)KBF 1)KBN 1)KBS 1)KBV \
1)KF( 1)KN& 1)KN; 1)KNB 1)KNC 1)KNE 1)KNK 1)KNU 1)KS& 1)KS; 1)KSB 1)KSE 1)KSO 1)KSU 1)KUE 1)KV& 1)KV; 1)KVB 1)KVE \
1)KVO 1)KVU 1)O(1 1)O(E 1)O(F 1)O(N 1)O(S 1)O(V 1)O1 1)O1& 1)O1) 1)O1; 1)O1B 1)O1C 1)O1K 1)O1U 1)OF( 1)ON& 1)ON) 1)ON; \
1)ONB 1)ONC 1)ONK 1)ONU 1)OS 1)OS& 1)OS) 1)OS; 1)OSB 1)OSC 1)OSK 1)OSU 1)OV 1)OV& 1)OV) 1)OV; 1)OVB 1)OVC 1)OVK 1)OVO \
1)OVU 1)U(E 1)UE( 1)UE1 1)UEF 1)UEK 1)UEN 1)UES 1)UEV 1,(1) 1,(1O 1,(E( 1,(E1 1,(EF 1,(EK 1,(EN 1,(ES 1,(EV 1,(F( \
1,(N) 1,(NO 1,(S) 1,(SO 1,(V) 1,(VO 1,F() 1,F(1 1,F(F 1,F(N 1,F(S 1,F(V 1;E(1 1;E(E 1;E(F 1;E(N 1;E(S 1;E(V 1;E1, \
1;E1; 1;E1C 1;E1K 1;E1O 1;E1T 1;EF( 1;EK( 1;EK1 1;EKF 1;EKN 1;EKO 1;EKS 1;EKV 1;EN, 1;EN; 1;ENC 1;ENE 1;ENK 1;ENO \
1;ENT 1;ES, 1;ES; 1;ESC 1;ESK 1;ESO 1;EST 1;EV, 1;EV; 1;EVC 1;EVK 1;EVO 1;EVT 1;N:T 1;T(1 1;T(C 1;T(E 1;T(F 1;T(N \
1;T(S 1;T(V 1;T1( 1;T1, 1;T1; 1;T1C 1;T1F 1;T1K 1;T1O 1;T1T 1;T; 1;T;C 1;TF( 1;TK( 1;TK1 1;TKF 1;TKK 1;TKN 1;TKO 1;TKS \
1;TKV 1;TN( 1;TN, 1;TN1 1;TN; 1;TNC 1;TNF 1;TNK 1;TNN 1;TNO 1;TNS 1;TNT 1;TNV 1;TO( 1;TS( 1;TS, 1;TS; 1;TSC 1;TSF \
1;TSK 1;TSO 1;TST 1;TTN 1;TV( 1;TV, 1;TV; 1;TVC 1;TVF 1;TVK 1;TVO 1;TVT 1A(F( 1A(N) 1A(NO 1A(S) 1A(SO 1A(V) 1A(VO \
1AF() 1AF(1 1AF(F 1AF(N 1AF(S 1AF(V 1ASO( 1ASO1 1ASOF 1ASON 1ASOS 1ASOV 1ASUE 1ATO( 1ATO1 1ATOF 1ATON 1ATOS 1ATOV \
1ATUE 1AVO( 1AVOF 1AVOS 1AVUE 1B(1) 1B(1O 1B(F( 1B(NO 1B(S) 1B(SO 1B(V) 1B(VO 1B1 1B1&( 1B1&1 1B1&F 1B1&N 1B1&S 1B1&V \
1B1,( 1B1,F 1B1; 1B1;C 1B1B( 1B1B1 1B1BF 1B1BN 1B1BS 1B1BV 1B1C 1B1K( 1B1K1 1B1KF 1B1KN 1B1KS 1B1KV 1B1O( 1B1OF 1B1OS \
1B1OV 1B1U( 1B1UE 1BE(1 1BE(F 1BE(N 1BE(S 1BE(V 1BEK( 1BF() 1BF(1 1BF(F 1BF(N 1BF(S 1BF(V 1BN 1BN&( 1BN&1 1BN&F 1BN&N \
1BN&S 1BN&V 1BN,( 1BN,F 1BN; 1BN;C 1BNB( 1BNB1 1BNBF 1BNBN 1BNBS 1BNBV 1BNC 1BNK( 1BNK1 1BNKF 1BNKN 1BNKS 1BNKV 1BNO( \
1BNOF 1BNOS 1BNOV 1BNU( 1BNUE 1BS 1BS&( 1BS&1 1BS&F 1BS&N 1BS&S 1BS&V 1BS,( 1BS,F 1BS; 1BS;C 1BSB( 1BSB1 1BSBF 1BSBN \
1BSBS 1BSBV 1BSC 1BSK( 1BSK1 1BSKF 1BSKN 1BSKS 1BSKV 1BSO( 1BSO1 1BSOF 1BSON 1BSOS 1BSOV 1BSU( 1BSUE 1BV 1BV&( 1BV&1 \
1BV&F 1BV&N 1BV&S 1BV&V 1BV,( 1BV,F 1BV; 1BV;C 1BVB( 1BVB1 1BVBF 1BVBN 1BVBS 1BVBV 1BVC 1BVK( 1BVK1 1BVKF 1BVKN 1BVKS \
1BVKV 1BVO( 1BVOF 1BVOS 1BVU( 1BVUE 1C 1E(1) 1E(1O 1E(F( 1E(N) 1E(NO 1E(S) 1E(SO 1E(V) 1E(VO 1E1;T 1E1C 1E1O( 1E1OF \
1E1OS 1E1OV 1E1T( 1E1T1 1E1TF 1E1TN 1E1TS 1E1TV 1E1UE 1EF() 1EF(1 1EF(F 1EF(N 1EF(S 1EF(V 1EK(1 1EK(E 1EK(F 1EK(N \
1EK(S 1EK(V 1EK1; 1EK1C 1EK1O 1EK1T 1EK1U 1EKF( 1EKN; 1EKNC 1EKNE 1EKNT 1EKNU 1EKOK 1EKS; 1EKSC 1EKSO 1EKST 1EKSU \
1EKU( 1EKU1 1EKUE 1EKUF 1EKUS 1EKUV 1EKV; 1EKVC 1EKVO 1EKVT 1EKVU 1EN;T 1ENC 1ENEN 1ENO( 1ENOF 1ENOS 1ENOV 1ENT( 1ENT1 \
1ENTF 1ENTN 1ENTS 1ENTV 1ENUE 1EOKN 1ES;T 1ESC 1ESO( 1ESO1 1ESOF 1ESON 1ESOS 1ESOV 1EST( 1EST1 1ESTF 1ESTN 1ESTS 1ESTV \
1ESUE 1EU(1 1EU(F 1EU(N 1EU(S 1EU(V 1EU1, 1EU1C 1EU1O 1EUEF 1EUEK 1EUF( 1EUS, 1EUSC 1EUSO 1EUV, 1EUVC 1EUVO 1EV;T 1EVC \
1EVO( 1EVOF 1EVOS 1EVT( 1EVT1 1EVTF 1EVTN 1EVTS 1EVTV 1EVUE 1F()1 1F()F 1F()K 1F()N 1F()O 1F()S 1F()U 1F()V 1F(1) \
1F(1N 1F(1O 1F(E( 1F(E1 1F(EF 1F(EK 1F(EN 1F(ES 1F(EV 1F(F( 1F(N) 1F(N, 1F(NO 1F(S) 1F(SO 1F(V) 1F(VO 1K(1O 1K(F( \
1K(N) 1K(NO 1K(S) 1K(SO 1K(V) 1K(VO 1K)&( 1K)&1 1K)&F 1K)&N 1K)&S 1K)&V 1K);E 1K);T 1K)B( 1K)B1 1K)BF 1K)BN 1K)BS \
1K)BV 1K)E( 1K)E1 1K)EF 1K)EK 1K)EN 1K)ES 1K)EV 1K)F( 1K)O( 1K)OF 1K)UE 1K1 1K1&( 1K1&1 1K1&F 1K1&N 1K1&S 1K1&V 1K1; \
1K1;C 1K1;E 1K1;T 1K1B( 1K1B1 1K1BF 1K1BN 1K1BS 1K1BV 1K1C 1K1E( 1K1E1 1K1EF 1K1EK 1K1EN 1K1ES 1K1EV 1K1O( 1K1OF 1K1OS \
1K1OV 1K1U( 1K1UE 1KF() 1KF(1 1KF(F 1KF(N 1KF(S 1KF(V 1KN 1KN&( 1KN&1 1KN&F 1KN&N 1KN&S 1KN&V 1KN; 1KN;C 1KN;E 1KN;T \
1KNB( 1KNB1 1KNBF 1KNBN 1KNBS 1KNBV 1KNC 1KNE( 1KNE1 1KNEF 1KNEN 1KNES 1KNEV 1KNU( 1KNUE 1KS 1KS&( 1KS&1 1KS&F 1KS&N \
1KS&S 1KS&V 1KS; 1KS;C 1KS;E 1KS;T 1KSB( 1KSB1 1KSBF 1KSBN 1KSBS 1KSBV 1KSC 1KSE( 1KSE1 1KSEF 1KSEK 1KSEN 1KSES 1KSEV \
1KSO( 1KSO1 1KSOF 1KSON 1KSOS 1KSOV 1KSU( 1KSUE 1KUE( 1KUE1 1KUEF 1KUEK 1KUEN 1KUES 1KUEV 1KV 1KV&( 1KV&1 1KV&F 1KV&N \
1KV&S 1KV&V 1KV; 1KV;C 1KV;E 1KV;T 1KVB( 1KVB1 1KVBF 1KVBN 1KVBS 1KVBV 1KVC 1KVE( 1KVE1 1KVEF 1KVEK 1KVEN 1KVES 1KVEV \
1KVO( 1KVOF 1KVOS 1KVU( 1KVUE 1N&F( 1N(1O 1N(F( 1N(S) 1N(SO 1N(V) 1N(VO 1N)UE 1N,F( 1NE(1 1NE(F 1NE(N 1NE(S 1NE(V \
1NE1C 1NE1O 1NEF( 1NENC 1NENO 1NESC 1NESO 1NEVC 1NEVO 1NU(E 1NUE 1NUE( 1NUE1 1NUE; 1NUEC 1NUEF 1NUEK 1NUEN 1NUES 1NUEV \
1O(1& 1O(1) 1O(1, 1O(1O 1O(E( 1O(E1 1O(EE 1O(EF 1O(EK 1O(EN 1O(EO 1O(ES 1O(EV 1O(F( 1O(N& 1O(N) 1O(N, 1O(NO 1O(S& \
1O(S) 1O(S, 1O(SO 1O(V& 1O(V) 1O(V, 1O(VO 1OF() 1OF(1 1OF(E 1OF(F 1OF(N 1OF(S 1OF(V 1OK&( 1OK&1 1OK&F 1OK&N 1OK&S \
1OK&V 1OK(1 1OK(F 1OK(N 1OK(S 1OK(V 1OK1C 1OK1O 1OKF( 1OKNC 1OKO( 1OKO1 1OKOF 1OKON 1OKOS 1OKOV 1OKSC 1OKSO 1OKVC \
1OKVO 1ONSU 1OS&( 1OS&1 1OS&E 1OS&F 1OS&K 1OS&N 1OS&S 1OS&U 1OS&V 1OS(E 1OS(U 1OS)& 1OS), 1OS); 1OS)B 1OS)C 1OS)E \
1OS)F 1OS)K 1OS)O 1OS)U 1OS,( 1OS,F 1OS1( 1OS1F 1OS1N 1OS1S 1OS1U 1OS1V 1OS; 1OS;C 1OS;E 1OS;N 1OS;T 1OSA( 1OSAF 1OSAS \
1OSAT 1OSAV 1OSB( 1OSB1 1OSBE 1OSBF 1OSBN 1OSBS 1OSBV 1OSC 1OSE( 1OSE1 1OSEF 1OSEK 1OSEN 1OSEO 1OSES 1OSEU 1OSEV 1OSF( \
1OSK( 1OSK) 1OSK1 1OSKB 1OSKF 1OSKN 1OSKS 1OSKU 1OSKV 1OST( 1OST1 1OSTE 1OSTF 1OSTN 1OSTS 1OSTT 1OSTV 1OSU 1OSU( 1OSU1 \
1OSU; 1OSUC 1OSUE 1OSUF 1OSUK 1OSUO 1OSUS 1OSUT 1OSUV 1OSV( 1OSVF 1OSVO 1OSVS 1OSVU 1OU(E 1OUEK 1OUEN 1OV 1OV&( 1OV&1 \
1OV&E 1OV&F 1OV&K 1OV&N 1OV&S 1OV&U 1OV&V 1OV(E 1OV(U 1OV)& 1OV), 1OV); 1OV)B 1OV)C 1OV)E 1OV)F 1OV)K 1OV)O 1OV)U \
1OV,( 1OV,F 1OV; 1OV;C 1OV;E 1OV;N 1OV;T 1OVA( 1OVAF 1OVAS 1OVAT 1OVAV 1OVB( 1OVB1 1OVBE 1OVBF 1OVBN 1OVBS 1OVBV 1OVC \
1OVE( 1OVE1 1OVEF 1OVEK 1OVEN 1OVEO 1OVES 1OVEU 1OVEV 1OVF( 1OVK( 1OVK) 1OVK1 1OVKB 1OVKF 1OVKN 1OVKS 1OVKU 1OVKV \
1OVO( 1OVOF 1OVOK 1OVOS 1OVOU 1OVS( 1OVS1 1OVSF 1OVSO 1OVSU 1OVSV 1OVT( 1OVT1 1OVTE 1OVTF 1OVTN 1OVTS 1OVTT 1OVTV 1OVU \
1OVU( 1OVU1 1OVU; 1OVUC 1OVUE 1OVUF 1OVUK 1OVUO 1OVUS 1OVUT 1OVUV 1SF() 1SF(1 1SF(F 1SF(N 1SF(S 1SF(V 1SUE 1SUE; 1SUEC \
1SUEK 1SV 1SV; 1SV;C 1SVC 1SVO( 1SVOF 1SVOS 1T(1) 1T(1O 1T(F( 1T(N) 1T(NO 1T(S) 1T(SO 1T(V) 1T(VO 1T1(F 1T1O( 1T1OF \
1T1OS 1T1OV 1TE(1 1TE(F 1TE(N 1TE(S 1TE(V 1TE1N 1TE1O 1TEF( 1TEK( 1TEK1 1TEKF 1TEKN 1TEKS 1TEKV 1TENN 1TENO 1TESN \
1TESO 1TEVN 1TEVO 1TF() 1TF(1 1TF(F 1TF(N 1TF(S 1TF(V 1TN(1 1TN(F 1TN(S 1TN(V 1TN1C 1TN1O 1TN;E 1TN;N 1TN;T 1TNE( \
1TNE1 1TNEF 1TNEN 1TNES 1TNEV 1TNF( 1TNKN 1TNN: 1TNNC 1TNNO 1TNO( 1TNOF 1TNOS 1TNOV 1TNSC 1TNSO 1TNT( 1TNT1 1TNTF \
1TNTN 1TNTS 1TNTV 1TNVC 1TNVO 1TS(F 1TSO( 1TSO1 1TSOF 1TSON 1TSOS 1TSOV 1TTNE 1TTNK 1TTNN 1TTNT 1TV(1 1TV(F 1TVO( \
1TVOF 1TVOS 1U 1U(1) 1U(1O 1U(E( 1U(E1 1U(EF 1U(EK 1U(EN 1U(ES 1U(EV 1U(F( 1U(N) 1U(NO 1U(S) 1U(SO 1U(V) 1U(VO 1U1,( \
1U1,F 1U1C 1U1O( 1U1OF 1U1OS 1U1OV 1U; 1U;C 1UC 1UE 1UE(1 1UE(E 1UE(F 1UE(N 1UE(O 1UE(S 1UE(V 1UE1 1UE1& 1UE1( 1UE1) \
1UE1, 1UE1; 1UE1B 1UE1C 1UE1F 1UE1K 1UE1N 1UE1O 1UE1S 1UE1U 1UE1V 1UE; 1UE;C 1UEC 1UEF 1UEF( 1UEF, 1UEF; 1UEFC 1UEK \
1UEK( 1UEK1 1UEK; 1UEKC 1UEKF 1UEKN 1UEKO 1UEKS 1UEKV 1UEN 1UEN& 1UEN( 1UEN) 1UEN, 1UEN1 1UEN; 1UENB 1UENC 1UENF 1UENK \
1UENN 1UENO 1UENS 1UENU 1UEOK 1UEON 1UES 1UES& 1UES( 1UES) 1UES, 1UES1 1UES; 1UESB 1UESC 1UESF 1UESK 1UESO 1UESU 1UESV \
1UEV 1UEV& 1UEV( 1UEV) 1UEV, 1UEV; 1UEVB 1UEVC 1UEVF 1UEVK 1UEVN 1UEVO 1UEVS 1UEVU 1UF() 1UF(1 1UF(F 1UF(N 1UF(S 1UF(V \
1UK(E 1UO(E 1UON( 1UON1 1UONF 1UONS 1US,( 1US,F 1USC 1USO( 1USO1 1USOF 1USON 1USOS 1USOV 1UTN( 1UTN1 1UTNF 1UTNN 1UTNS \
1UTNV 1UV,( 1UV,F 1UVC 1UVO( 1UVOF 1UVOS 1VF() 1VF(1 1VF(F 1VF(N 1VF(S 1VF(V 1VO(1 1VO(F 1VO(N 1VO(S 1VO(V 1VOF( 1VOS( \
1VOS1 1VOSF 1VOSU 1VOSV 1VS 1VS; 1VS;C 1VSC 1VSO( 1VSO1 1VSOF 1VSON 1VSOS 1VSOV 1VUE 1VUE; 1VUEC 1VUEK ;T(EF ;T(EK \
;TKNC E(1&( E(1&1 E(1&F E(1&N E(1&S E(1&V E(1)& E(1), E(1)1 E(1); E(1)B E(1)C E(1)F E(1)K E(1)N E(1)O E(1)S E(1)U \
E(1)V E(1,F E(1F( E(1N) E(1O( E(1OF E(1OS E(1OV E(1S) E(1V) E(1VO E(E(1 E(E(E E(E(F E(E(N E(E(S E(E(V E(E1& E(E1) \
E(E1O E(EF( E(EK( E(EK1 E(EKF E(EKN E(EKS E(EKV E(EN& E(EN) E(ENO E(ES& E(ES) E(ESO E(EV& E(EV) E(EVO E(F() E(F(1 \
E(F(E E(F(F E(F(N E(F(S E(F(V E(N&( E(N&1 E(N&F E(N&N E(N&S E(N&V E(N(1 E(N(F E(N(S E(N(V E(N)& E(N), E(N)1 E(N); \
E(N)B E(N)C E(N)F E(N)K E(N)N E(N)O E(N)S E(N)U E(N)V E(N,F E(N1) E(N1O E(NF( E(NO( E(NOF E(NOS E(NOV E(S&( E(S&1 \
E(S&F E(S&N E(S&S E(S&V E(S)& E(S), E(S)1 E(S); E(S)B E(S)C E(S)F E(S)K E(S)N E(S)O E(S)S E(S)U E(S)V E(S,F E(S1) \
E(SF( E(SO( E(SO1 E(SOF E(SON E(SOS E(SOV E(SV) E(SVO E(V&( E(V&1 E(V&F E(V&N E(V&S E(V&V E(V)& E(V), E(V)1 E(V); \
E(V)B E(V)C E(V)F E(V)K E(V)N E(V)O E(V)S E(V)U E(V)V E(V,F E(VF( E(VO( E(VOF E(VOS E(VS) E(VSO E1&(1 E1&(E E1&(F \
E1&(N E1&(S E1&(V E1&1) E1&1O E1&F( E1&N) E1&NO E1&S) E1&SO E1&V) E1&VO E1) E1)&( E1)&1 E1)&F E1)&N E1)&S E1)&V E1); \
E1);( E1);C E1);E E1);T E1)C E1)KN E1)O( E1)O1 E1)OF E1)ON E1)OS E1)OV E1)UE E1,(1 E1,(F E1,(N E1,(S E1,(V E1,F( E1;(E \
E1B(1 E1B(F E1B(N E1B(S E1B(V E1B1) E1B1O E1BF( E1BN) E1BNO E1BS) E1BSO E1BV) E1BVO E1F() E1F(1 E1F(F E1F(N E1F(S \
E1F(V E1K(1 E1K(E E1K(F E1K(N E1K(S E1K(V E1K1) E1K1K E1K1O E1KF( E1KN E1KN) E1KN; E1KNC E1KNK E1KNU E1KS) E1KSK E1KSO \
E1KV) E1KVK E1KVO E1N)U E1N; E1N;C E1NC E1NKN E1O(1 E1O(E E1O(F E1O(N E1O(S E1O(V E1OF( E1OS& E1OS( E1OS) E1OS, E1OS1 \
E1OS; E1OSB E1OSF E1OSK E1OSU E1OSV E1OV& E1OV( E1OV) E1OV, E1OV; E1OVB E1OVF E1OVK E1OVO E1OVS E1OVU E1S; E1S;C E1SC \
E1U(E E1UE( E1UE1 E1UEF E1UEK E1UEN E1UES E1UEV E1V E1V; E1V;C E1VC E1VO( E1VOF E1VOS EE(F( EEK(F EF()& EF(), EF()1 \
EF(); EF()B EF()F EF()K EF()N EF()O EF()S EF()U EF()V EF(1& EF(1) EF(1, EF(1O EF(E( EF(E1 EF(EF EF(EK EF(EN EF(ES \
EF(EV EF(F( EF(N& EF(N) EF(N, EF(NO EF(O) EF(S& EF(S) EF(S, EF(SO EF(V& EF(V) EF(V, EF(VO EK(1& EK(1( EK(1) EK(1, \
EK(1F EK(1N EK(1O EK(1S EK(1V EK(E( EK(E1 EK(EF EK(EK EK(EN EK(ES EK(EV EK(F( EK(N& EK(N( EK(N) EK(N, EK(N1 EK(NF \
EK(NO EK(S& EK(S( EK(S) EK(S, EK(S1 EK(SF EK(SO EK(SV EK(V& EK(V( EK(V) EK(V, EK(VF EK(VO EK(VS EK1&( EK1&1 EK1&F \
EK1&N EK1&S EK1&V EK1) EK1)& EK1); EK1)C EK1)K EK1)O EK1)U EK1,( EK1,F EK1;( EK1B( EK1B1 EK1BF EK1BN EK1BS EK1BV EK1F( \
EK1K( EK1K1 EK1KF EK1KN EK1KS EK1KV EK1N EK1N) EK1N; EK1NC EK1NK EK1O( EK1OF EK1OS EK1OV EK1S EK1S; EK1SC EK1SF EK1SK \
EK1U( EK1UE EK1V EK1V; EK1VC EK1VF EK1VK EK1VO EKE(F EKEK( EKF() EKF(1 EKF(E EKF(F EKF(N EKF(O EKF(S EKF(V EKN&( EKN&1 \
EKN&F EKN&N EKN&S EKN&V EKN(1 EKN(F EKN(S EKN(V EKN) EKN)& EKN); EKN)C EKN)K EKN)O EKN)U EKN,( EKN,F EKN1 EKN1; EKN1C \
EKN1K EKN1O EKN;( EKNB( EKNB1 EKNBF EKNBN EKNBS EKNBV EKNF( EKNK( EKNK1 EKNKF EKNKN EKNKS EKNKV EKNU( EKNUE EKO(1 \
EKO(F EKO(N EKO(S EKO(V EKOK( EKOKN EKS&( EKS&1 EKS&F EKS&N EKS&S EKS&V EKS) EKS)& EKS); EKS)C EKS)K EKS)O EKS)U EKS,( \
EKS,F EKS1 EKS1; EKS1C EKS1F EKS1K EKS;( EKSB( EKSB1 EKSBF EKSBN EKSBS EKSBV EKSF( EKSK( EKSK1 EKSKF EKSKN EKSKS EKSKV \
EKSO( EKSO1 EKSOF EKSON EKSOS EKSOV EKSU( EKSUE EKSV EKSV; EKSVC EKSVF EKSVK EKSVO EKV&( EKV&1 EKV&F EKV&N EKV&S EKV&V \
EKV) EKV)& EKV); EKV)C EKV)K EKV)O EKV)U EKV,( EKV,F EKV;( EKVB( EKVB1 EKVBF EKVBN EKVBS EKVBV EKVF( EKVK( EKVK1 EKVKF \
EKVKN EKVKS EKVKV EKVO( EKVOF EKVOS EKVS EKVS; EKVSC EKVSF EKVSK EKVSO EKVU( EKVUE EN&(1 EN&(E EN&(F EN&(N EN&(S EN&(V \
EN&1) EN&1O EN&F( EN&N) EN&NO EN&S) EN&SO EN&V) EN&VO EN(1O EN(F( EN(S) EN(SO EN(V) EN(VO EN) EN)&( EN)&1 EN)&F EN)&N \
EN)&S EN)&V EN); EN);( EN);C EN);E EN);T EN)C EN)KN EN)O( EN)O1 EN)OF EN)ON EN)OS EN)OV EN)UE EN,(1 EN,(F EN,(N EN,(S \
EN,(V EN,F( EN1; EN1;C EN1O( EN1OF EN1OS EN1OV EN;(E ENB(1 ENB(F ENB(N ENB(S ENB(V ENB1) ENB1O ENBF( ENBN) ENBNO ENBS) \
ENBSO ENBV) ENBVO ENF() ENF(1 ENF(F ENF(N ENF(S ENF(V ENK(1 ENK(E ENK(F ENK(N ENK(S ENK(V ENK1) ENK1K ENK1O ENKF( \
ENKN) ENKN, ENKN; ENKNB ENKNC ENKNK ENKNU ENKS) ENKSK ENKSO ENKV) ENKVK ENKVO ENO(1 ENO(E ENO(F ENO(N ENO(S ENO(V \
ENOF( ENOS& ENOS( ENOS) ENOS, ENOS1 ENOS; ENOSB ENOSF ENOSK ENOSU ENOSV ENOV& ENOV( ENOV) ENOV, ENOV; ENOVB ENOVF \
ENOVK ENOVO ENOVS ENOVU ENU(E ENUE( ENUE1 ENUEF ENUEK ENUEN ENUES ENUEV EOK(E EOKNK ES&(1 ES&(E ES&(F ES&(N ES&(S \
ES&(V ES&1) ES&1O ES&F( ES&N) ES&NO ES&S) ES&SO ES&V) ES&VO ES) ES)&( ES)&1 ES)&F ES)&N ES)&S ES)&V ES); ES);( ES);C \
ES);E ES);T ES)C ES)KN ES)O( ES)O1 ES)OF ES)ON ES)OS ES)OV ES)UE ES,(1 ES,(F ES,(N ES,(S ES,(V ES,F( ES1 ES1; ES1;C \
ES1C ES;(E ESB(1 ESB(F ESB(N ESB(S ESB(V ESB1) ESB1O ESBF( ESBN) ESBNO ESBS) ESBSO ESBV) ESBVO ESF() ESF(1 ESF(F ESF(N \
ESF(S ESF(V ESK(1 ESK(E ESK(F ESK(N ESK(S ESK(V ESK1) ESK1K ESK1O ESKF( ESKN ESKN) ESKN; ESKNC ESKNK ESKNU ESKS) ESKSK \
ESKSO ESKV) ESKVK ESKVO ESO(1 ESO(E ESO(F ESO(N ESO(S ESO(V ESO1& ESO1( ESO1) ESO1, ESO1; ESO1B ESO1F ESO1K ESO1N \
ESO1S ESO1U ESO1V ESOF( ESON& ESON( ESON) ESON, ESON1 ESON; ESONB ESONF ESONK ESONU ESOS& ESOS( ESOS) ESOS, ESOS1 \
ESOS; ESOSB ESOSF ESOSK ESOSU ESOSV ESOV& ESOV( ESOV) ESOV, ESOV; ESOVB ESOVF ESOVK ESOVO ESOVS ESOVU ESU(E ESUE( \
ESUE1 ESUEF ESUEK ESUEN ESUES ESUEV ESV ESV; ESV;C ESVC ESVO( ESVOF ESVOS EV&(1 EV&(E EV&(F EV&(N EV&(S EV&(V EV&1) \
EV&1O EV&F( EV&N) EV&NO EV&S) EV&SO EV&V) EV&VO EV) EV)&( EV)&1 EV)&F EV)&N EV)&S EV)&V EV); EV);( EV);C EV);E EV);T \
EV)C EV)KN EV)O( EV)O1 EV)OF EV)ON EV)OS EV)OV EV)UE EV,(1 EV,(F EV,(N EV,(S EV,(V EV,F( EV;(E EVB(1 EVB(F EVB(N EVB(S \
EVB(V EVB1) EVB1O EVBF( EVBN) EVBNO EVBS) EVBSO EVBV) EVBVO EVF() EVF(1 EVF(F EVF(N EVF(S EVF(V EVK(1 EVK(E EVK(F \
EVK(N EVK(S EVK(V EVK1) EVK1K EVK1O EVKF( EVKN EVKN) EVKN; EVKNC EVKNK EVKNU EVKS) EVKSK EVKSO EVKV) EVKVK EVKVO EVN \
EVN)U EVN; EVN;C EVNC EVNKN EVNO( EVNOF EVNOS EVNOV EVO(1 EVO(E EVO(F EVO(N EVO(S EVO(V EVOF( EVOS& EVOS( EVOS) EVOS, \
EVOS1 EVOS; EVOSB EVOSF EVOSK EVOSU EVOSV EVS EVS; EVS;C EVSC EVSO( EVSO1 EVSOF EVSON EVSOS EVSOV EVU(E EVUE( EVUE1 \
EVUEF EVUEK EVUEN EVUES EVUEV F()&( F()&1 F()&E F()&F F()&K F()&N F()&S F()&V F(),( F(),1 F(),F F(),N F(),S F(),V \
F()1( F()1F F()1N F()1O F()1S F()1U F()1V F();E F();N F();T F()A( F()AF F()AS F()AT F()AV F()B( F()B1 F()BE F()BF \
F()BN F()BS F()BV F()C F()E( F()E1 F()EF F()EK F()EN F()EO F()ES F()EU F()EV F()F( F()K( F()K) F()K1 F()KF F()KN F()KS \
F()KU F()KV F()N& F()N( F()N) F()N, F()N1 F()NE F()NF F()NO F()NU F()O( F()O1 F()OF F()OK F()ON F()OS F()OU F()OV \
F()S( F()S1 F()SF F()SO F()SU F()SV F()T( F()T1 F()TE F()TF F()TN F()TS F()TT F()TV F()U F()U( F()U1 F()U; F()UC F()UE \
F()UF F()UK F()UO F()US F()UT F()UV F()V( F()VF F()VO F()VS F()VU F(1&( F(1&1 F(1&F F(1&N F(1&S F(1&V F(1) F(1)& F(1), \
F(1)1 F(1); F(1)A F(1)B F(1)C F(1)E F(1)F F(1)K F(1)N F(1)O F(1)S F(1)T F(1)U F(1)V F(1,( F(1,F F(1O( F(1OF F(1OS \
F(1OV F(E(1 F(E(E F(E(F F(E(N F(E(S F(E(V F(E1& F(E1) F(E1K F(E1O F(EF( F(EK( F(EK1 F(EKF F(EKN F(EKO F(EKS F(EKV \
F(EN& F(EN) F(ENK F(ENO F(EOK F(ES& F(ES) F(ESK F(ESO F(EV& F(EV) F(EVK F(EVO F(F() F(F(1 F(F(E F(F(F F(F(N F(F(S \
F(F(V F(K() F(K,( F(K,F F(N&( F(N&1 F(N&F F(N&N F(N&S F(N&V F(N) F(N)& F(N), F(N)1 F(N); F(N)A F(N)B F(N)C F(N)E F(N)F \
F(N)K F(N)N F(N)O F(N)S F(N)T F(N)U F(N)V F(N,( F(N,F F(NO( F(NOF F(NOS F(NOV F(S&( F(S&1 F(S&F F(S&N F(S&S F(S&V F(S) \
F(S)& F(S), F(S)1 F(S); F(S)A F(S)B F(S)C F(S)E F(S)F F(S)K F(S)N F(S)O F(S)S F(S)T F(S)U F(S)V F(S,( F(S,F F(SO( \
F(SO1 F(SOF F(SON F(SOS F(SOV F(T,( F(T,F F(V&( F(V&1 F(V&F F(V&N F(V&S F(V&V F(V) F(V)& F(V), F(V)1 F(V); F(V)A F(V)B \
F(V)C F(V)E F(V)F F(V)K F(V)N F(V)O F(V)S F(V)T F(V)U F(V)V F(V,( F(V,F F(VO( F(VOF F(VOS K(1), K(1)A K(1)K K(1)O \
K(1O( K(1OF K(1OS K(1OV K(F() K(F(1 K(F(F K(F(N K(F(S K(F(V K(N), K(N)A K(N)K K(N)O K(NO( K(NOF K(NOS K(NOV K(S), \
K(S)A K(S)K K(S)O K(SO( K(SO1 K(SOF K(SON K(SOS K(SOV K(V), K(V)A K(V)K K(V)O K(VO( K(VOF K(VOS K1,(1 K1,(F K1,(N \
K1,(S K1,(V K1,F( K1A(F K1A(N K1A(S K1A(V K1AF( K1ASO K1AVO K1K(1 K1K(F K1K(N K1K(S K1K(V K1K1O K1K1U K1KF( K1KNU \
K1KSO K1KSU K1KVO K1KVU K1O(1 K1O(F K1O(N K1O(S K1O(V K1OF( K1OS( K1OS, K1OS1 K1OSA K1OSF K1OSK K1OSV K1OV( K1OV, \
K1OVA K1OVF K1OVK K1OVO K1OVS KF(), KF()A KF()K KF()O KF(1) KF(1O KF(F( KF(N) KF(NO KF(S) KF(SO KF(V) KF(VO KN,(1 \
KN,(F KN,(N KN,(S KN,(V KN,F( KNA(F KNA(N KNA(S KNA(V KNAF( KNASO KNAVO KNK(1 KNK(F KNK(N KNK(S KNK(V KNK1O KNK1U \
KNKF( KNKNU KNKSO KNKSU KNKVO KNKVU KS,(1 KS,(F KS,(N KS,(S KS,(V KS,F( KSA(F KSA(N KSA(S KSA(V KSAF( KSASO KSAVO \
KSK(1 KSK(F KSK(N KSK(S KSK(V KSK1O KSK1U KSKF( KSKNU KSKSO KSKSU KSKVO KSKVU KSO(1 KSO(F KSO(N KSO(S KSO(V KSO1( \
KSO1, KSO1A KSO1F KSO1K KSO1N KSO1S KSO1V KSOF( KSON( KSON, KSON1 KSONA KSONF KSONK KSOS( KSOS, KSOS1 KSOSA KSOSF \
KSOSK KSOSV KSOV( KSOV, KSOVA KSOVF KSOVK KSOVO KSOVS KV,(1 KV,(F KV,(N KV,(S KV,(V KV,F( KVA(F KVA(N KVA(S KVA(V \
KVAF( KVASO KVAVO KVK(1 KVK(F KVK(N KVK(S KVK(V KVK1O KVK1U KVKF( KVKNU KVKSO KVKSU KVKVO KVKVU KVO(1 KVO(F KVO(N \
KVO(S KVO(V KVOF( KVOS( KVOS, KVOS1 KVOSA KVOSF KVOSK KVOSV N&(1& N&(1) N&(1, N&(1O N&(E( N&(E1 N&(EF N&(EK N&(EN \
N&(EO N&(ES N&(EV N&(F( N&(N& N&(N) N&(N, N&(NO N&(S& N&(S) N&(S, N&(SO N&(V& N&(V) N&(V, N&(VO N&1 N&1&( N&1&1 N&1&F \
N&1&N N&1&S N&1&V N&1)& N&1)C N&1)O N&1)U N&1; N&1;C N&1;E N&1;T N&1B( N&1B1 N&1BF N&1BN N&1BS N&1BV N&1C N&1EK N&1EN \
N&1F( N&1K( N&1K1 N&1KF N&1KN N&1KS N&1KV N&1O( N&1OF N&1OS N&1OV N&1TN N&1U N&1U( N&1U; N&1UC N&1UE N&E(1 N&E(F N&E(N \
N&E(O N&E(S N&E(V N&E1 N&E1; N&E1C N&E1K N&E1O N&EF( N&EK( N&EK1 N&EKF N&EKN N&EKS N&EKV N&EN; N&ENC N&ENK N&ENO N&ES \
N&ES; N&ESC N&ESK N&ESO N&EV N&EV; N&EVC N&EVK N&EVO N&F() N&F(1 N&F(E N&F(F N&F(N N&F(S N&F(V N&K&( N&K&1 N&K&F N&K&N \
N&K&S N&K&V N&K(1 N&K(F N&K(N N&K(S N&K(V N&K1O N&KC N&KF( N&KNK N&KO( N&KO1 N&KOF N&KOK N&KON N&KOS N&KOV N&KSO N&KVO \
N&N&( N&N&1 N&N&F N&N&S N&N&V N&N)& N&N)C N&N)O N&N)U N&N;C N&N;E N&N;T N&NB( N&NB1 N&NBF N&NBS N&NBV N&NF( N&NK( \
N&NK1 N&NKF N&NKS N&NKV N&NO( N&NOF N&NOS N&NOV N&NU N&NU( N&NU; N&NUC N&NUE N&S&( N&S&1 N&S&F N&S&N N&S&S N&S&V N&S)& \
N&S)C N&S)O N&S)U N&S1 N&S1; N&S1C N&S; N&S;C N&S;E N&S;T N&SB( N&SB1 N&SBF N&SBN N&SBS N&SBV N&SC N&SEK N&SEN N&SF( \
N&SK( N&SK1 N&SKF N&SKN N&SKS N&SKV N&SO( N&SO1 N&SOF N&SON N&SOS N&SOV N&STN N&SU N&SU( N&SU; N&SUC N&SUE N&SV N&SV; \
N&SVC N&SVO N&V N&V&( N&V&1 N&V&F N&V&N N&V&S N&V&V N&V)& N&V)C N&V)O N&V)U N&V; N&V;C N&V;E N&V;T N&VB( N&VB1 N&VBF \
N&VBN N&VBS N&VBV N&VC N&VEK N&VEN N&VF( N&VK( N&VK1 N&VKF N&VKN N&VKS N&VKV N&VO( N&VOF N&VOS N&VS N&VS; N&VSC N&VSO \
N&VTN N&VU N&VU( N&VU; N&VUC N&VUE N)&(1 N)&(E N)&(F N)&(N N)&(S N)&(V N)&1 N)&1& N)&1) N)&1; N)&1B N)&1C N)&1F N)&1O \
N)&1U N)&F( N)&N N)&N& N)&N) N)&N; N)&NB N)&NC N)&NF N)&NO N)&NU N)&S N)&S& N)&S) N)&S; N)&SB N)&SC N)&SF N)&SO N)&SU \
N)&V N)&V& N)&V) N)&V; N)&VB N)&VC N)&VF N)&VO N)&VU N),(1 N),(F N),(N N),(S N),(V N);E( N);E1 N);EF N);EK N);EN N);EO \
N);ES N);EV N);T( N);T1 N);TF N);TK N);TN N);TO N);TS N);TV N)B(1 N)B(F N)B(N N)B(S N)B(V N)B1 N)B1& N)B1; N)B1C N)B1K \
N)B1N N)B1O N)B1U N)BF( N)BN N)BN& N)BN; N)BNC N)BNK N)BNO N)BNU N)BS N)BS& N)BS; N)BSC N)BSK N)BSO N)BSU N)BV N)BV& \
N)BV; N)BVC N)BVK N)BVO N)BVU N)E(1 N)E(F N)E(N N)E(S N)E(V N)E1C N)E1O N)EF( N)EK( N)EK1 N)EKF N)EKN N)EKS N)EKV \
N)ENC N)ENO N)ESC N)ESO N)EVC N)EVO N)F(F N)K(1 N)K(F N)K(N N)K(S N)K(V N)K1& N)K1; N)K1B N)K1E N)K1O N)K1U N)KB( \
N)KB1 N)KBF N)KBN N)KBS N)KBV N)KF( N)KN& N)KN; N)KNB N)KNC N)KNE N)KNK N)KNU N)KS& N)KS; N)KSB N)KSE N)KSO N)KSU \
N)KUE N)KV& N)KV; N)KVB N)KVE N)KVO N)KVU N)O(1 N)O(E N)O(F N)O(N N)O(S N)O(V N)O1& N)O1) N)O1; N)O1B N)O1C N)O1K \
N)O1U N)OF( N)ON& N)ON) N)ON; N)ONB N)ONC N)ONK N)ONU N)OS N)OS& N)OS) N)OS; N)OSB N)OSC N)OSK N)OSU N)OV N)OV& N)OV) \
N)OV; N)OVB N)OVC N)OVK N)OVO N)OVU N)U(E N)UE( N)UE1 N)UEF N)UEK N)UEN N)UES N)UEV N,(1) N,(1O N,(E( N,(E1 N,(EF \
N,(EK N,(EN N,(ES N,(EV N,(F( N,(NO N,(S) N,(SO N,(V) N,(VO N,F() N,F(1 N,F(F N,F(N N,F(S N,F(V N1O(1 N1O(F N1O(N \
N1O(S N1O(V N1OF( N1OS( N1OS1 N1OSF N1OSU N1OSV N1OV( N1OVF N1OVO N1OVS N1OVU N1S; N1S;C N1SC N1UE N1UE; N1UEC N1UEK \
N1V; N1V;C N1VC N1VO( N1VOF N1VOS N;E(1 N;E(E N;E(F N;E(N N;E(S N;E(V N;E1, N;E1; N;E1C N;E1K N;E1O N;E1T N;EF( N;EK( \
N;EK1 N;EKF N;EKN N;EKO N;EKS N;EKV N;EN, N;EN; N;ENC N;ENE N;ENK N;ENO N;ENT N;ES, N;ES; N;ESC N;ESK N;ESO N;EST \
N;EV, N;EV; N;EVC N;EVK N;EVO N;EVT N;N:T N;T(1 N;T(C N;T(E N;T(F N;T(N N;T(S N;T(V N;T1( N;T1, N;T1; N;T1C N;T1F \
N;T1K N;T1O N;T1T N;T; N;T;C N;TF( N;TK( N;TK1 N;TKF N;TKK N;TKO N;TKS N;TKV N;TN( N;TN, N;TN1 N;TN; N;TNC N;TNE N;TNF \
N;TNK N;TNN N;TNO N;TNS N;TNT N;TNV N;TO( N;TS( N;TS, N;TS; N;TSC N;TSF N;TSK N;TSO N;TST N;TTN N;TV( N;TV, N;TV; \
N;TVC N;TVF N;TVK N;TVO N;TVT NA(F( NA(N) NA(NO NA(S) NA(SO NA(V) NA(VO NAF() NAF(1 NAF(F NAF(N NAF(S NAF(V NASO( \
NASO1 NASOF NASON NASOS NASOV NASUE NATO( NATO1 NATOF NATON NATOS NATOV NATUE NAVO( NAVOF NAVOS NAVUE NB(1& NB(1) \
NB(1O NB(F( NB(N& NB(NO NB(S& NB(S) NB(SO NB(V& NB(V) NB(VO NB1 NB1&( NB1&1 NB1&F NB1&N NB1&S NB1&V NB1,( NB1,F NB1; \
NB1;C NB1B( NB1B1 NB1BF NB1BN NB1BS NB1BV NB1C NB1K( NB1K1 NB1KF NB1KN NB1KS NB1KV NB1O( NB1OF NB1OS NB1OV NB1U( NB1UE \
NBE(1 NBE(F NBE(N NBE(S NBE(V NBEK( NBF() NBF(1 NBF(F NBF(N NBF(S NBF(V NBN&( NBN&1 NBN&F NBN&N NBN&S NBN&V NBN,( \
NBN,F NBN; NBN;C NBNB( NBNB1 NBNBF NBNBN NBNBS NBNBV NBNC NBNK( NBNK1 NBNKF NBNKN NBNKS NBNKV NBNO( NBNOF NBNOS NBNOV \
NBNU( NBNUE NBS NBS&( NBS&1 NBS&F NBS&N NBS&S NBS&V NBS,( NBS,F NBS; NBS;C NBSB( NBSB1 NBSBF NBSBN NBSBS NBSBV NBSC \
NBSK( NBSK1 NBSKF NBSKN NBSKS NBSKV NBSO( NBSO1 NBSOF NBSON NBSOS NBSOV NBSU( NBSUE NBV NBV&( NBV&1 NBV&F NBV&N NBV&S \
NBV&V NBV,( NBV,F NBV; NBV;C NBVB( NBVB1 NBVBF NBVBN NBVBS NBVBV NBVC NBVK( NBVK1 NBVKF NBVKN NBVKS NBVKV NBVO( NBVOF \
NBVOS NBVU( NBVUE NC NE(1) NE(1O NE(F( NE(N) NE(NO NE(S) NE(SO NE(V) NE(VO NE1;T NE1C NE1O( NE1OF NE1OS NE1OV NE1T( \
NE1T1 NE1TF NE1TN NE1TS NE1TV NE1UE NEF() NEF(1 NEF(F NEF(N NEF(S NEF(V NEN;T NENO( NENOF NENOS NENOV NENT( NENT1 \
NENTF NENTN NENTS NENTV NENUE NEOKN NES;T NESC NESO( NESO1 NESOF NESON NESOS NESOV NEST( NEST1 NESTF NESTN NESTS NESTV \
NESUE NEU(1 NEU(F NEU(N NEU(S NEU(V NEU1, NEU1C NEU1O NEUEF NEUEK NEUF( NEUS, NEUSC NEUSO NEUV, NEUVC NEUVO NEV;T NEVC \
NEVO( NEVOF NEVOS NEVT( NEVT1 NEVTF NEVTN NEVTS NEVTV NEVUE NF()1 NF()F NF()K NF()N NF()O NF()S NF()U NF()V NF(1) \
NF(1O NF(E( NF(E1 NF(EF NF(EK NF(EN NF(ES NF(EV NF(F( NF(N, NF(NO NF(S) NF(SO NF(V) NF(VO NK(1) NK(1O NK(F( NK(NO \
NK(S) NK(SO NK(V) NK(VO NK)&( NK)&1 NK)&F NK)&N NK)&S NK)&V NK);E NK);T NK)B( NK)B1 NK)BF NK)BN NK)BS NK)BV NK)E( \
NK)E1 NK)EF NK)EK NK)EN NK)ES NK)EV NK)F( NK)O( NK)OF NK)UE NK1 NK1&( NK1&1 NK1&F NK1&N NK1&S NK1&V NK1;C NK1;E NK1;T \
NK1B( NK1B1 NK1BF NK1BN NK1BS NK1BV NK1C NK1E( NK1E1 NK1EF NK1EK NK1EN NK1ES NK1EV NK1O( NK1OF NK1OS NK1OV NK1U( NK1UE \
NKF() NKF(1 NKF(F NKF(N NKF(S NKF(V NKN NKN&( NKN&1 NKN&F NKN&S NKN&V NKN;C NKN;E NKN;T NKNB( NKNB1 NKNBF NKNBN NKNBS \
NKNBV NKNE( NKNE1 NKNEF NKNES NKNEV NKNU( NKNUE NKS NKS&( NKS&1 NKS&F NKS&N NKS&S NKS&V NKS; NKS;C NKS;E NKS;T NKSB( \
NKSB1 NKSBF NKSBN NKSBS NKSBV NKSC NKSE( NKSE1 NKSEF NKSEK NKSEN NKSES NKSEV NKSO( NKSO1 NKSOF NKSON NKSOS NKSOV NKSU( \
NKSUE NKUE( NKUE1 NKUEF NKUEK NKUEN NKUES NKUEV NKV NKV&( NKV&1 NKV&F NKV&N NKV&S NKV&V NKV; NKV;C NKV;E NKV;T NKVB( \
NKVB1 NKVBF NKVBN NKVBS NKVBV NKVC NKVE( NKVE1 NKVEF NKVEK NKVEN NKVES NKVEV NKVO( NKVOF NKVOS NKVU( NKVUE NO(1& NO(1) \
NO(1, NO(1O NO(E( NO(E1 NO(EE NO(EF NO(EK NO(EN NO(EO NO(ES NO(EV NO(F( NO(N& NO(N) NO(N, NO(NO NO(S& NO(S) NO(S, \
NO(SO NO(V& NO(V) NO(V, NO(VO NOF() NOF(1 NOF(E NOF(F NOF(N NOF(S NOF(V NOK&( NOK(1 NOK(F NOK(N NOK(S NOK(V NOK1C \
NOK1O NOKF( NOKNC NOKO( NOKO1 NOKOF NOKON NOKOS NOKOV NOKSC NOKSO NOKVC NOKVO NONSU NOS&( NOS&1 NOS&E NOS&F NOS&K \
NOS&N NOS&S NOS&U NOS&V NOS(E NOS(U NOS)& NOS), NOS); NOS)B NOS)C NOS)E NOS)F NOS)K NOS)O NOS)U NOS,( NOS,F NOS1( \
NOS1F NOS1N NOS1S NOS1U NOS1V NOS; NOS;C NOS;E NOS;T NOSA( NOSAF NOSAS NOSAT NOSAV NOSB( NOSB1 NOSBE NOSBF NOSBN NOSBS \
NOSBV NOSC NOSE( NOSE1 NOSEF NOSEK NOSEN NOSEO NOSES NOSEU NOSEV NOSF( NOSK( NOSK) NOSK1 NOSKB NOSKF NOSKN NOSKS NOSKU \
NOSKV NOST( NOST1 NOSTE NOSTF NOSTN NOSTS NOSTT NOSTV NOSU NOSU( NOSU1 NOSU; NOSUC NOSUE NOSUF NOSUK NOSUO NOSUS NOSUT \
NOSUV NOSV( NOSVF NOSVO NOSVS NOSVU NOU(E NOUEK NOUEN NOV&( NOV&1 NOV&E NOV&F NOV&K NOV&N NOV&S NOV&U NOV&V NOV(E \
NOV(U NOV)& NOV), NOV); NOV)B NOV)C NOV)E NOV)F NOV)K NOV)O NOV)U NOV,( NOV,F NOV; NOV;C NOV;E NOV;N NOV;T NOVA( NOVAF \
NOVAS NOVAT NOVAV NOVB( NOVB1 NOVBE NOVBF NOVBN NOVBS NOVBV NOVC NOVE( NOVE1 NOVEF NOVEK NOVEN NOVEO NOVES NOVEU NOVEV \
NOVF( NOVK( NOVK) NOVK1 NOVKB NOVKF NOVKN NOVKS NOVKU NOVKV NOVO( NOVOF NOVOK NOVOS NOVOU NOVS( NOVS1 NOVSF NOVSO \
NOVSU NOVSV NOVT( NOVT1 NOVTE NOVTF NOVTN NOVTS NOVTT NOVTV NOVU NOVU( NOVU1 NOVU; NOVUC NOVUE NOVUF NOVUK NOVUO NOVUS \
NOVUT NOVUV NSO1U NSONU NSOSU NSOVU NSUE NSUE; NSUEC NSUEK NT(1) NT(1O NT(F( NT(N) NT(NO NT(S) NT(SO NT(V) NT(VO NT1(F \
NT1O( NT1OF NT1OS NT1OV NTE(1 NTE(F NTE(N NTE(S NTE(V NTE1N NTE1O NTEF( NTEK( NTEK1 NTEKF NTEKN NTEKS NTEKV NTENN \
NTENO NTESN NTESO NTEVN NTEVO NTF() NTF(1 NTF(F NTF(N NTF(S NTF(V NTN(1 NTN(F NTN(S NTN(V NTN1C NTN1O NTN;E NTN;N \
NTN;T NTNE( NTNE1 NTNEF NTNEN NTNES NTNEV NTNF( NTNKN NTNN: NTNNC NTNNO NTNO( NTNOF NTNOS NTNOV NTNSC NTNSO NTNT( \
NTNT1 NTNTF NTNTN NTNTS NTNTV NTNVC NTNVO NTS(F NTSO( NTSO1 NTSOF NTSON NTSOS NTSOV NTTNE NTTNK NTTNN NTTNT NTV(1 \
NTV(F NTVO( NTVOF NTVOS NU(1) NU(1O NU(E( NU(E1 NU(EF NU(EK NU(EN NU(ES NU(EV NU(F( NU(N) NU(NO NU(S) NU(SO NU(V) \
NU(VO NU1,( NU1,F NU1C NU1O( NU1OF NU1OS NU1OV NU; NU;C NUC NUE NUE(1 NUE(E NUE(F NUE(N NUE(O NUE(S NUE(V NUE1 NUE1& \
NUE1( NUE1) NUE1, NUE1; NUE1B NUE1C NUE1F NUE1K NUE1N NUE1O NUE1S NUE1U NUE1V NUE; NUE;C NUEC NUEF NUEF( NUEF, NUEF; \
NUEFC NUEK NUEK( NUEK1 NUEK; NUEKC NUEKF NUEKN NUEKO NUEKS NUEKV NUEN NUEN& NUEN( NUEN) NUEN, NUEN1 NUEN; NUENB NUENC \
NUENF NUENK NUENO NUENS NUENU NUEOK NUEON NUES NUES& NUES( NUES) NUES, NUES1 NUES; NUESB NUESC NUESF NUESK NUESO NUESU \
NUESV NUEV NUEV& NUEV( NUEV) NUEV, NUEV; NUEVB NUEVC NUEVF NUEVK NUEVN NUEVO NUEVS NUEVU NUF() NUF(1 NUF(F NUF(N NUF(S \
NUF(V NUK(E NUO(E NUON( NUON1 NUONF NUONS NUS,( NUS,F NUSC NUSO( NUSO1 NUSOF NUSON NUSOS NUSOV NUTN( NUTN1 NUTNF NUTNN \
NUTNS NUTNV NUV,( NUV,F NUVC NUVO( NUVOF NUVOS S&(1& S&(1) S&(1, S&(1O S&(E( S&(E1 S&(EF S&(EK S&(EN S&(EO S&(ES S&(EV \
S&(F( S&(N& S&(N) S&(N, S&(NO S&(S& S&(S) S&(S, S&(SO S&(V& S&(V) S&(V, S&(VO S&1 S&1&( S&1&1 S&1&F S&1&N S&1&S S&1&V \
S&1)& S&1)C S&1)O S&1)U S&1; S&1;C S&1;E S&1;T S&1B( S&1B1 S&1BF S&1BN S&1BS S&1BV S&1C S&1EK S&1EN S&1F( S&1K( S&1K1 \
S&1KF S&1KN S&1KS S&1KV S&1O( S&1OF S&1OS S&1OV S&1TN S&1U S&1U( S&1U; S&1UC S&1UE S&E(1 S&E(F S&E(N S&E(O S&E(S S&E(V \
S&E1 S&E1; S&E1C S&E1K S&E1O S&EF( S&EK( S&EK1 S&EKF S&EKN S&EKS S&EKV S&EN S&EN; S&ENC S&ENK S&ENO S&ES S&ES; S&ESC \
S&ESK S&ESO S&EV S&EV; S&EVC S&EVK S&EVO S&F() S&F(1 S&F(E S&F(F S&F(N S&F(S S&F(V S&K&( S&K&1 S&K&F S&K&N S&K&S S&K&V \
S&K(1 S&K(F S&K(N S&K(S S&K(V S&K1O S&KC S&KF( S&KNK S&KO( S&KO1 S&KOF S&KOK S&KON S&KOS S&KOV S&KSO S&KVO S&N S&N&( \
S&N&1 S&N&F S&N&N S&N&S S&N&V S&N)& S&N)C S&N)O S&N)U S&N; S&N;C S&N;E S&N;T S&NB( S&NB1 S&NBF S&NBN S&NBS S&NBV S&NC \
S&NEN S&NF( S&NK( S&NK1 S&NKF S&NKN S&NKS S&NKV S&NO( S&NOF S&NOS S&NOV S&NTN S&NU S&NU( S&NU; S&NUC S&NUE S&S S&S&( \
S&S&1 S&S&F S&S&N S&S&S S&S&V S&S)& S&S)C S&S)O S&S)U S&S1 S&S1; S&S1C S&S; S&S;C S&S;E S&S;T S&SB( S&SB1 S&SBF S&SBN \
S&SBS S&SBV S&SC S&SEK S&SEN S&SF( S&SK( S&SK1 S&SKF S&SKN S&SKS S&SKV S&SO( S&SO1 S&SOF S&SON S&SOS S&SOV S&STN S&SU \
S&SU( S&SU; S&SUC S&SUE S&SV S&SV; S&SVC S&SVO S&V S&V&( S&V&1 S&V&F S&V&N S&V&S S&V&V S&V)& S&V)C S&V)O S&V)U S&V; \
S&V;C S&V;E S&V;T S&VB( S&VB1 S&VBF S&VBN S&VBS S&VBV S&VC S&VEK S&VEN S&VF( S&VK( S&VK1 S&VKF S&VKN S&VKS S&VKV S&VO( \
S&VOF S&VOS S&VS S&VS; S&VSC S&VSO S&VTN S&VU S&VU( S&VU; S&VUC S&VUE S(EF( S(EKF S(EKN S(ENK S(U(E S)&(1 S)&(E S)&(F \
S)&(N S)&(S S)&(V S)&1 S)&1& S)&1) S)&1; S)&1B S)&1C S)&1F S)&1O S)&1U S)&F( S)&N S)&N& S)&N) S)&N; S)&NB S)&NC S)&NF \
S)&NO S)&NU S)&S S)&S& S)&S) S)&S; S)&SB S)&SC S)&SF S)&SO S)&SU S)&V S)&V& S)&V) S)&V; S)&VB S)&VC S)&VF S)&VO S)&VU \
S),(1 S),(F S),(N S),(S S),(V S);E( S);E1 S);EF S);EK S);EN S);EO S);ES S);EV S);T( S);T1 S);TF S);TK S);TN S);TO \
S);TS S);TV S)B(1 S)B(F S)B(N S)B(S S)B(V S)B1 S)B1& S)B1; S)B1C S)B1K S)B1N S)B1O S)B1U S)BF( S)BN S)BN& S)BN; S)BNC \
S)BNK S)BNO S)BNU S)BS S)BS& S)BS; S)BSC S)BSK S)BSO S)BSU S)BV S)BV& S)BV; S)BVC S)BVK S)BVO S)BVU S)C S)E(1 S)E(F \
S)E(N S)E(S S)E(V S)E1C S)E1O S)EF( S)EK( S)EK1 S)EKF S)EKN S)EKS S)EKV S)ENC S)ENO S)ESC S)ESO S)EVC S)EVO S)F(F \
S)K(1 S)K(F S)K(N S)K(S S)K(V S)K1& S)K1; S)K1B S)K1E S)K1O S)K1U S)KB( S)KB1 S)KBF S)KBN S)KBS S)KBV S)KF( S)KN& \
S)KN; S)KNB S)KNC S)KNE S)KNK S)KNU S)KS& S)KS; S)KSB S)KSE S)KSO S)KSU S)KUE S)KV& S)KV; S)KVB S)KVE S)KVO S)KVU \
S)O(1 S)O(E S)O(F S)O(N S)O(S S)O(V S)O1 S)O1& S)O1) S)O1; S)O1B S)O1C S)O1K S)O1U S)OF( S)ON& S)ON) S)ON; S)ONB S)ONC \
S)ONK S)ONU S)OS S)OS& S)OS) S)OS; S)OSB S)OSC S)OSK S)OSU S)OV S)OV& S)OV) S)OV; S)OVB S)OVC S)OVK S)OVO S)OVU S)U(E \
S)UE( S)UE1 S)UEF S)UEK S)UEN S)UES S)UEV S,(1) S,(1O S,(E( S,(E1 S,(EF S,(EK S,(EN S,(ES S,(EV S,(F( S,(N) S,(NO \
S,(S) S,(SO S,(V) S,(VO S,F() S,F(1 S,F(F S,F(N S,F(S S,F(V S1F() S1F(1 S1F(F S1F(N S1F(S S1F(V S1NC S1S; S1S;C S1SC \
S1UE S1UE; S1UEC S1UEK S1V S1V; S1V;C S1VC S1VO( S1VOF S1VOS S;E(1 S;E(E S;E(F S;E(N S;E(S S;E(V S;E1, S;E1; S;E1C \
S;E1K S;E1O S;E1T S;EF( S;EK( S;EK1 S;EKF S;EKN S;EKO S;EKS S;EKV S;EN, S;EN; S;ENC S;ENE S;ENK S;ENO S;ENT S;ES, \
S;ES; S;ESC S;ESK S;ESO S;EST S;EV, S;EV; S;EVC S;EVK S;EVO S;EVT S;N:T S;T(1 S;T(C S;T(E S;T(F S;T(N S;T(S S;T(V \
S;T1( S;T1, S;T1; S;T1C S;T1F S;T1K S;T1O S;T1T S;T; S;T;C S;TF( S;TK( S;TK1 S;TKF S;TKK S;TKN S;TKO S;TKS S;TKV S;TN( \
S;TN, S;TN1 S;TN; S;TNC S;TNE S;TNF S;TNK S;TNN S;TNO S;TNS S;TNT S;TNV S;TO( S;TS( S;TS, S;TS; S;TSC S;TSF S;TSK \
S;TSO S;TST S;TTN S;TV( S;TV, S;TV; S;TVC S;TVF S;TVK S;TVO S;TVT SA(F( SA(N) SA(NO SA(S) SA(SO SA(V) SA(VO SAF() \
SAF(1 SAF(F SAF(N SAF(S SAF(V SASO( SASO1 SASOF SASON SASOS SASOV SASUE SATO( SATO1 SATOF SATON SATOS SATOV SATUE \
SAVO( SAVOF SAVOS SAVUE SB(1) SB(1O SB(F( SB(NO SB(S) SB(SO SB(V) SB(VO SB1 SB1&( SB1&1 SB1&F SB1&N SB1&S SB1&V SB1,( \
SB1,F SB1; SB1;C SB1B( SB1B1 SB1BF SB1BN SB1BS SB1BV SB1C SB1K( SB1K1 SB1KF SB1KN SB1KS SB1KV SB1O( SB1OF SB1OS SB1OV \
SB1U( SB1UE SBE(1 SBE(F SBE(N SBE(S SBE(V SBEK( SBF() SBF(1 SBF(F SBF(N SBF(S SBF(V SBN SBN&( SBN&1 SBN&F SBN&N SBN&S \
SBN&V SBN,( SBN,F SBN; SBN;C SBNB( SBNB1 SBNBF SBNBN SBNBS SBNBV SBNC SBNK( SBNK1 SBNKF SBNKN SBNKS SBNKV SBNO( SBNOF \
SBNOS SBNOV SBNU( SBNUE SBS SBS&( SBS&1 SBS&F SBS&N SBS&S SBS&V SBS,( SBS,F SBS; SBS;C SBSB( SBSB1 SBSBF SBSBN SBSBS \
SBSBV SBSC SBSK( SBSK1 SBSKF SBSKN SBSKS SBSKV SBSO( SBSO1 SBSOF SBSON SBSOS SBSOV SBSU( SBSUE SBV SBV&( SBV&1 SBV&F \
SBV&N SBV&S SBV&V SBV,( SBV,F SBV; SBV;C SBVB( SBVB1 SBVBF SBVBN SBVBS SBVBV SBVC SBVK( SBVK1 SBVKF SBVKN SBVKS SBVKV \
SBVO( SBVOF SBVOS SBVU( SBVUE SC SE(1) SE(1O SE(F( SE(N) SE(NO SE(S) SE(SO SE(V) SE(VO SE1;T SE1C SE1O( SE1OF SE1OS \
SE1OV SE1T( SE1T1 SE1TF SE1TN SE1TS SE1TV SE1UE SEF() SEF(1 SEF(F SEF(N SEF(S SEF(V SEK(1 SEK(E SEK(F SEK(N SEK(S \
SEK(V SEK1; SEK1C SEK1O SEK1T SEK1U SEKF( SEKN; SEKNC SEKNE SEKNT SEKNU SEKOK SEKS; SEKSC SEKSO SEKST SEKSU SEKU( \
SEKU1 SEKUE SEKUF SEKUS SEKUV SEKV; SEKVC SEKVO SEKVT SEKVU SEN;T SENC SENEN SENO( SENOF SENOS SENOV SENT( SENT1 SENTF \
SENTN SENTS SENTV SENUE SEOKN SES;T SESC SESO( SESO1 SESOF SESON SESOS SESOV SEST( SEST1 SESTF SESTN SESTS SESTV SESUE \
SEU(1 SEU(F SEU(N SEU(S SEU(V SEU1, SEU1C SEU1O SEUEF SEUEK SEUF( SEUS, SEUSC SEUSO SEUV, SEUVC SEUVO SEV;T SEVC SEVO( \
SEVOF SEVOS SEVT( SEVT1 SEVTF SEVTN SEVTS SEVTV SEVUE SF()1 SF()F SF()K SF()N SF()O SF()S SF()U SF()V SF(1) SF(1N \
SF(1O SF(E( SF(E1 SF(EF SF(EK SF(EN SF(ES SF(EV SF(F( SF(N) SF(N, SF(NO SF(S) SF(SO SF(V) SF(VO SK(1) SK(1O SK(F( \
SK(N) SK(NO SK(S) SK(SO SK(V) SK(VO SK)&( SK)&1 SK)&F SK)&N SK)&S SK)&V SK);E SK);T SK)B( SK)B1 SK)BF SK)BN SK)BS \
SK)BV SK)E( SK)E1 SK)EF SK)EK SK)EN SK)ES SK)EV SK)F( SK)O( SK)OF SK)UE SK1 SK1&( SK1&1 SK1&F SK1&N SK1&S SK1&V SK1; \
SK1;C SK1;E SK1;T SK1B( SK1B1 SK1BF SK1BN SK1BS SK1BV SK1C SK1E( SK1E1 SK1EF SK1EK SK1EN SK1ES SK1EV SK1O( SK1OF SK1OS \
SK1OV SK1U( SK1UE SKF() SKF(1 SKF(F SKF(N SKF(S SKF(V SKN SKN&( SKN&1 SKN&F SKN&N SKN&S SKN&V SKN; SKN;C SKN;E SKN;T \
SKNB( SKNB1 SKNBF SKNBN SKNBS SKNBV SKNC SKNE( SKNE1 SKNEF SKNEN SKNES SKNEV SKNU( SKNUE SKS SKS&( SKS&1 SKS&F SKS&N \
SKS&S SKS&V SKS; SKS;C SKS;E SKS;T SKSB( SKSB1 SKSBF SKSBN SKSBS SKSBV SKSC SKSE( SKSE1 SKSEF SKSEK SKSEN SKSES SKSEV \
SKSO( SKSO1 SKSOF SKSON SKSOS SKSOV SKSU( SKSUE SKUE( SKUE1 SKUEF SKUEK SKUEN SKUES SKUEV SKV SKV&( SKV&1 SKV&F SKV&N \
SKV&S SKV&V SKV; SKV;C SKV;E SKV;T SKVB( SKVB1 SKVBF SKVBN SKVBS SKVBV SKVC SKVE( SKVE1 SKVEF SKVEK SKVEN SKVES SKVEV \
SKVO( SKVOF SKVOS SKVU( SKVUE SO(1& SO(1) SO(1, SO(1O SO(E( SO(E1 SO(EE SO(EF SO(EK SO(EN SO(EO SO(ES SO(EV SO(F( \
SO(N& SO(N) SO(N, SO(NO SO(S& SO(S) SO(S, SO(SO SO(V& SO(V) SO(V, SO(VO SO1&( SO1&1 SO1&E SO1&F SO1&K SO1&N SO1&S \
SO1&U SO1&V SO1(E SO1(U SO1)& SO1), SO1); SO1)B SO1)C SO1)E SO1)F SO1)K SO1)O SO1)U SO1,( SO1,F SO1; SO1;C SO1;E SO1;N \
SO1;T SO1A( SO1AF SO1AS SO1AT SO1AV SO1B( SO1B1 SO1BE SO1BF SO1BN SO1BS SO1BV SO1C SO1E( SO1E1 SO1EF SO1EK SO1EN SO1EO \
SO1ES SO1EU SO1EV SO1F( SO1K( SO1K) SO1K1 SO1KB SO1KF SO1KN SO1KS SO1KU SO1KV SO1N& SO1N( SO1N, SO1NE SO1NU SO1SU \
SO1SV SO1T( SO1T1 SO1TE SO1TF SO1TN SO1TS SO1TT SO1TV SO1U SO1U( SO1U1 SO1U; SO1UC SO1UE SO1UF SO1UK SO1UO SO1US SO1UT \
SO1UV SO1V( SO1VF SO1VO SO1VS SO1VU SOF() SOF(1 SOF(E SOF(F SOF(N SOF(S SOF(V SOK&( SOK&1 SOK&F SOK&N SOK&S SOK&V \
SOK(1 SOK(F SOK(N SOK(S SOK(V SOK1C SOK1O SOKF( SOKNC SOKO( SOKO1 SOKOF SOKON SOKOS SOKOV SOKSC SOKSO SOKVC SOKVO \
SON&( SON&1 SON&E SON&F SON&K SON&N SON&S SON&U SON&V SON(1 SON(E SON(F SON(S SON(U SON(V SON)& SON), SON); SON)B \
SON)C SON)E SON)F SON)K SON)O SON)U SON,( SON,F SON1( SON1O SON1U SON1V SON; SON;C SON;E SON;N SON;T SONA( SONAF SONAS \
SONAT SONAV SONB( SONB1 SONBE SONBF SONBN SONBS SONBV SONE( SONE1 SONEF SONEN SONEO SONES SONEU SONEV SONF( SONK( \
SONK) SONK1 SONKB SONKF SONKS SONKU SONKV SONSU SONT( SONT1 SONTE SONTF SONTN SONTS SONTT SONTV SONU SONU( SONU1 SONU; \
SONUC SONUE SONUF SONUK SONUO SONUS SONUT SONUV SOS SOS&( SOS&1 SOS&E SOS&F SOS&K SOS&N SOS&S SOS&U SOS&V SOS(E SOS(U \
SOS)& SOS), SOS); SOS)B SOS)C SOS)E SOS)F SOS)K SOS)O SOS)U SOS,( SOS,F SOS1( SOS1F SOS1N SOS1S SOS1U SOS1V SOS; SOS;C \
SOS;E SOS;N SOS;T SOSA( SOSAF SOSAS SOSAT SOSAV SOSB( SOSB1 SOSBE SOSBF SOSBN SOSBS SOSBV SOSC SOSE( SOSE1 SOSEF SOSEK \
SOSEN SOSEO SOSES SOSEU SOSEV SOSF( SOSK( SOSK) SOSK1 SOSKB SOSKF SOSKN SOSKS SOSKU SOSKV SOST( SOST1 SOSTE SOSTF \
SOSTN SOSTS SOSTT SOSTV SOSU SOSU( SOSU1 SOSU; SOSUC SOSUE SOSUF SOSUK SOSUO SOSUS SOSUT SOSUV SOSV( SOSVF SOSVO SOSVS \
SOSVU SOU(E SOUEK SOUEN SOV SOV&( SOV&1 SOV&E SOV&F SOV&K SOV&N SOV&S SOV&U SOV&V SOV(E SOV(U SOV)& SOV), SOV); SOV)B \
SOV)C SOV)E SOV)F SOV)K SOV)O SOV)U SOV,( SOV,F SOV; SOV;C SOV;E SOV;N SOV;T SOVA( SOVAF SOVAS SOVAT SOVAV SOVB( SOVB1 \
SOVBE SOVBF SOVBN SOVBS SOVBV SOVC SOVE( SOVE1 SOVEF SOVEK SOVEN SOVEO SOVES SOVEU SOVEV SOVF( SOVK( SOVK) SOVK1 SOVKB \
SOVKF SOVKN SOVKS SOVKU SOVKV SOVO( SOVOF SOVOK SOVOS SOVOU SOVS( SOVS1 SOVSF SOVSO SOVSU SOVSV SOVT( SOVT1 SOVTE \
SOVTF SOVTN SOVTS SOVTT SOVTV SOVU SOVU( SOVU1 SOVU; SOVUC SOVUE SOVUF SOVUK SOVUO SOVUS SOVUT SOVUV ST(1) ST(1O ST(F( \
ST(N) ST(NO ST(S) ST(SO ST(V) ST(VO ST1(F ST1O( ST1OF ST1OS ST1OV STE(1 STE(F STE(N STE(S STE(V STE1N STE1O STEF( \
STEK( STEK1 STEKF STEKN STEKS STEKV STENN STENO STESN STESO STEVN STEVO STF() STF(1 STF(F STF(N STF(S STF(V STN(1 \
STN(F STN(S STN(V STN1C STN1O STN;E STN;N STN;T STNE( STNE1 STNEF STNEN STNES STNEV STNF( STNKN STNN: STNNC STNNO \
STNO( STNOF STNOS STNOV STNSC STNSO STNT( STNT1 STNTF STNTN STNTS STNTV STNVC STNVO STS(F STSO( STSO1 STSOF STSON \
STSOS STSOV STTNE STTNK STTNN STTNT STV(1 STV(F STVO( STVOF STVOS SU(1) SU(1O SU(E( SU(E1 SU(EF SU(EK SU(EN SU(ES \
SU(EV SU(F( SU(N) SU(NO SU(S) SU(SO SU(V) SU(VO SU1,( SU1,F SU1C SU1O( SU1OF SU1OS SU1OV SU; SU;C SUC SUE SUE(1 SUE(E \
SUE(F SUE(N SUE(O SUE(S SUE(V SUE1 SUE1& SUE1( SUE1) SUE1, SUE1; SUE1B SUE1C SUE1F SUE1K SUE1N SUE1O SUE1S SUE1U SUE1V \
SUE; SUE;C SUEC SUEF SUEF( SUEF, SUEF; SUEFC SUEK SUEK( SUEK1 SUEK; SUEKC SUEKF SUEKN SUEKO SUEKS SUEKV SUEN SUEN& \
SUEN( SUEN) SUEN, SUEN1 SUEN; SUENB SUENC SUENF SUENK SUENO SUENS SUENU SUEOK SUEON SUES SUES& SUES( SUES) SUES, SUES1 \
SUES; SUESB SUESC SUESF SUESK SUESO SUESU SUESV SUEV SUEV& SUEV( SUEV) SUEV, SUEV; SUEVB SUEVC SUEVF SUEVK SUEVN SUEVO \
SUEVS SUEVU SUF() SUF(1 SUF(F SUF(N SUF(S SUF(V SUK(E SUO(E SUON( SUON1 SUONF SUONS SUS,( SUS,F SUSC SUSO( SUSO1 SUSOF \
SUSON SUSOS SUSOV SUTN( SUTN1 SUTNF SUTNN SUTNS SUTNV SUV,( SUV,F SUVC SUVO( SUVOF SUVOS SVF() SVF(1 SVF(F SVF(N SVF(S \
SVF(V SVO(1 SVO(F SVO(N SVO(S SVO(V SVOF( SVOS( SVOS1 SVOSF SVOSU SVOSV SVS; SVS;C SVSC SVSO( SVSO1 SVSOF SVSON SVSOS \
SVSOV SVUE SVUE; SVUEC SVUEK T(1)F T(1)O T(1F( T(1N) T(1O( T(1OF T(1OS T(1OV T(1S) T(1V) T(1VO T(F() T(F(1 T(F(F T(F(N \
T(F(S T(F(V T(N(1 T(N(F T(N(S T(N(V T(N)F T(N)O T(N1) T(N1O T(NF( T(NN) T(NNO T(NO( T(NOF T(NOS T(NOV T(NS) T(NSO \
T(NV) T(NVO T(S)F T(S)O T(S1) T(SF( T(SN) T(SNO T(SO( T(SO1 T(SOF T(SON T(SOS T(SOV T(SV) T(SVO T(V)F T(V)O T(VF( \
T(VO( T(VOF T(VOS T(VS) T(VSO T(VV) T1F(1 T1F(F T1F(N T1F(S T1F(V T1O(1 T1O(F T1O(N T1O(S T1O(V T1OF( T1OSF T1OVF \
T1OVO TF()F TF()O TF(1) TF(1O TF(F( TF(N) TF(NO TF(S) TF(SO TF(V) TF(VO TN(1) TN(1O TN(F( TN(S) TN(SO TN(V) TN(VO TN1; \
TN1;C TN1O( TN1OF TN1OS TN1OV TNF() TNF(1 TNF(F TNF(N TNF(S TNF(V TNN; TNN;C TNNO( TNNOF TNNOS TNNOV TNO(1 TNO(F TNO(N \
TNO(S TNO(V TNOF( TNOSF TNOVF TNOVO TNS; TNS;C TNSO( TNSO1 TNSOF TNSON TNSOS TNSOV TNV; TNV;C TNVO( TNVOF TNVOS TSF(1 \
TSF(F TSF(N TSF(S TSF(V TSO(1 TSO(F TSO(N TSO(S TSO(V TSO1F TSOF( TSONF TSOSF TSOVF TSOVO TVF(1 TVF(F TVF(N TVF(S \
TVF(V TVO(1 TVO(F TVO(N TVO(S TVO(V TVOF( TVOSF U(E(1 U(E(F U(E(K U(E(N U(E(S U(E(V U(E1) U(E1O U(EF( U(EK( U(EK1 \
U(EKF U(EKN U(EKO U(EKS U(EKV U(EN) U(ENK U(ENO U(EOK U(ES) U(ESO U(EV) U(EVO UE(1) UE(1, UE(1O UE(F( UE(N) UE(N, \
UE(NO UE(S) UE(S, UE(SO UE(V) UE(V, UE(VO UE1 UE1,( UE1,F UE1; UE1;C UE1C UE1K( UE1K1 UE1KF UE1KN UE1KS UE1KV UE1O( \
UE1OF UE1OS UE1OV UEF() UEF(1 UEF(F UEF(N UEF(S UEF(V UEK(1 UEK(F UEK(N UEK(S UEK(V UEK1 UEK1, UEK1; UEK1C UEK1K UEK1O \
UEKF( UEKN UEKN( UEKN, UEKN; UEKNC UEKNK UEKS UEKS, UEKS; UEKSC UEKSK UEKSO UEKV UEKV, UEKV; UEKVC UEKVK UEKVO UEN() \
UEN,( UEN,F UEN; UEN;C UENC UENK( UENK1 UENKF UENKN UENKS UENKV UENO( UENOF UENOS UENOV UES UES,( UES,F UES; UES;C \
UESC UESK( UESK1 UESKF UESKN UESKS UESKV UESO( UESO1 UESOF UESON UESOS UESOV UEV UEV,( UEV,F UEV; UEV;C UEVC UEVK( \
UEVK1 UEVKF UEVKN UEVKS UEVKV UEVO( UEVOF UEVOS UF(1O UF(F( UF(NO UF(SO UF(VO V&(1& V&(1) V&(1, V&(1O V&(E( V&(E1 \
V&(EF V&(EK V&(EN V&(EO V&(ES V&(EV V&(F( V&(N& V&(N) V&(N, V&(NO V&(S& V&(S) V&(S, V&(SO V&(V& V&(V) V&(V, V&(VO V&1 \
V&1&( V&1&1 V&1&F V&1&N V&1&S V&1&V V&1)& V&1)C V&1)O V&1)U V&1; V&1;C V&1;E V&1;T V&1B( V&1B1 V&1BF V&1BN V&1BS V&1BV \
V&1C V&1EK V&1EN V&1F( V&1K( V&1K1 V&1KF V&1KN V&1KS V&1KV V&1O( V&1OF V&1OS V&1OV V&1TN V&1U V&1U( V&1U; V&1UC V&1UE \
V&E(1 V&E(F V&E(N V&E(O V&E(S V&E(V V&E1 V&E1; V&E1C V&E1K V&E1O V&EF( V&EK( V&EK1 V&EKF V&EKN V&EKS V&EKV V&EN V&EN; \
V&ENC V&ENK V&ENO V&ES V&ES; V&ESC V&ESK V&ESO V&EV V&EV; V&EVC V&EVK V&EVO V&F() V&F(1 V&F(E V&F(F V&F(N V&F(S V&F(V \
V&K&( V&K&1 V&K&F V&K&N V&K&S V&K&V V&K(1 V&K(F V&K(N V&K(S V&K(V V&K1O V&KC V&KF( V&KNK V&KO( V&KO1 V&KOF V&KOK V&KON \
V&KOS V&KOV V&KSO V&KVO V&N V&N&( V&N&1 V&N&F V&N&N V&N&S V&N&V V&N)& V&N)C V&N)O V&N)U V&N; V&N;C V&N;E V&N;T V&NB( \
V&NB1 V&NBF V&NBN V&NBS V&NBV V&NC V&NEN V&NF( V&NK( V&NK1 V&NKF V&NKN V&NKS V&NKV V&NO( V&NOF V&NOS V&NOV V&NTN V&NU \
V&NU( V&NU; V&NUC V&NUE V&S V&S&( V&S&1 V&S&F V&S&N V&S&S V&S&V V&S)& V&S)C V&S)O V&S)U V&S1 V&S1; V&S1C V&S; V&S;C \
V&S;E V&S;T V&SB( V&SB1 V&SBF V&SBN V&SBS V&SBV V&SC V&SEK V&SEN V&SF( V&SK( V&SK1 V&SKF V&SKN V&SKS V&SKV V&SO( V&SO1 \
V&SOF V&SON V&SOS V&SOV V&STN V&SU V&SU( V&SU; V&SUC V&SUE V&SV V&SV; V&SVC V&SVO V&V V&V&( V&V&1 V&V&F V&V&N V&V&S \
V&V&V V&V)& V&V)C V&V)O V&V)U V&V; V&V;C V&V;E V&V;T V&VB( V&VB1 V&VBF V&VBN V&VBS V&VBV V&VC V&VEK V&VEN V&VF( V&VK( \
V&VK1 V&VKF V&VKN V&VKS V&VKV V&VO( V&VOF V&VOS V&VS V&VS; V&VSC V&VSO V&VTN V&VU V&VU( V&VU; V&VUC V&VUE V(EF( V(EKF \
V(EKN V(ENK V(U(E V)&(1 V)&(E V)&(F V)&(N V)&(S V)&(V V)&1 V)&1& V)&1) V)&1; V)&1B V)&1C V)&1F V)&1O V)&1U V)&F( V)&N \
V)&N& V)&N) V)&N; V)&NB V)&NC V)&NF V)&NO V)&NU V)&S V)&S& V)&S) V)&S; V)&SB V)&SC V)&SF V)&SO V)&SU V)&V V)&V& V)&V) \
V)&V; V)&VB V)&VC V)&VF V)&VO V)&VU V),(1 V),(F V),(N V),(S V),(V V);E( V);E1 V);EF V);EK V);EN V);EO V);ES V);EV \
V);T( V);T1 V);TF V);TK V);TN V);TO V);TS V);TV V)B(1 V)B(F V)B(N V)B(S V)B(V V)B1 V)B1& V)B1; V)B1C V)B1K V)B1N V)B1O \
V)B1U V)BF( V)BN V)BN& V)BN; V)BNC V)BNK V)BNO V)BNU V)BS V)BS& V)BS; V)BSC V)BSK V)BSO V)BSU V)BV V)BV& V)BV; V)BVC \
V)BVK V)BVO V)BVU V)C V)E(1 V)E(F V)E(N V)E(S V)E(V V)E1C V)E1O V)EF( V)EK( V)EK1 V)EKF V)EKN V)EKS V)EKV V)ENC V)ENO \
V)ESC V)ESO V)EVC V)EVO V)F(F V)K(1 V)K(F V)K(N V)K(S V)K(V V)K1& V)K1; V)K1B V)K1E V)K1O V)K1U V)KB( V)KB1 V)KBF \
V)KBN V)KBS V)KBV V)KF( V)KN& V)KN; V)KNB V)KNC V)KNE V)KNK V)KNU V)KS& V)KS; V)KSB V)KSE V)KSO V)KSU V)KUE V)KV& \
V)KV; V)KVB V)KVE V)KVO V)KVU V)O(1 V)O(E V)O(F V)O(N V)O(S V)O(V V)O1 V)O1& V)O1) V)O1; V)O1B V)O1C V)O1K V)O1U V)OF( \
V)ON V)ON& V)ON) V)ON; V)ONB V)ONC V)ONK V)ONU V)OS V)OS& V)OS) V)OS; V)OSB V)OSC V)OSK V)OSU V)OV V)OV& V)OV) V)OV; \
V)OVB V)OVC V)OVK V)OVO V)OVU V)U(E V)UE( V)UE1 V)UEF V)UEK V)UEN V)UES V)UEV V,(1) V,(1O V,(E( V,(E1 V,(EF V,(EK \
V,(EN V,(ES V,(EV V,(F( V,(N) V,(NO V,(S) V,(SO V,(V) V,(VO V,F() V,F(1 V,F(F V,F(N V,F(S V,F(V V;E(1 V;E(E V;E(F \
V;E(N V;E(S V;E(V V;E1, V;E1; V;E1C V;E1K V;E1O V;E1T V;EF( V;EK( V;EK1 V;EKF V;EKN V;EKO V;EKS V;EKV V;EN, V;EN; \
V;ENC V;ENE V;ENK V;ENO V;ENT V;ES, V;ES; V;ESC V;ESK V;ESO V;EST V;EV, V;EV; V;EVC V;EVK V;EVO V;EVT V;N:T V;T(1 \
V;T(C V;T(E V;T(F V;T(N V;T(S V;T(V V;T1( V;T1, V;T1; V;T1C V;T1F V;T1K V;T1O V;T1T V;T; V;T;C V;TF( V;TK( V;TK1 V;TKF \
V;TKK V;TKN V;TKO V;TKS V;TKV V;TN( V;TN, V;TN1 V;TN; V;TNC V;TNE V;TNF V;TNK V;TNN V;TNO V;TNS V;TNT V;TNV V;TO( \
V;TS( V;TS, V;TS; V;TSC V;TSF V;TSK V;TSO V;TST V;TTN V;TV( V;TV, V;TV; V;TVC V;TVF V;TVK V;TVO V;TVT VA(F( VA(N) \
VA(NO VA(S) VA(SO VA(V) VA(VO VAF() VAF(1 VAF(F VAF(N VAF(S VAF(V VASO( VASO1 VASOF VASON VASOS VASOV VASUE VATO( \
VATO1 VATOF VATON VATOS VATOV VATUE VAVO( VAVOF VAVOS VAVUE VB(1) VB(1O VB(F( VB(NO VB(S) VB(SO VB(V) VB(VO VB1 VB1&( \
VB1&1 VB1&F VB1&N VB1&S VB1&V VB1,( VB1,F VB1; VB1;C VB1B( VB1B1 VB1BF VB1BN VB1BS VB1BV VB1C VB1K( VB1K1 VB1KF VB1KN \
VB1KS VB1KV VB1O( VB1OF VB1OS VB1OV VB1U( VB1UE VBE(1 VBE(F VBE(N VBE(S VBE(V VBEK( VBF() VBF(1 VBF(F VBF(N VBF(S \
VBF(V VBN VBN&( VBN&1 VBN&F VBN&N VBN&S VBN&V VBN,( VBN,F VBN; VBN;C VBNB( VBNB1 VBNBF VBNBN VBNBS VBNBV VBNC VBNK( \
VBNK1 VBNKF VBNKN VBNKS VBNKV VBNO( VBNOF VBNOS VBNOV VBNU( VBNUE VBS VBS&( VBS&1 VBS&F VBS&N VBS&S VBS&V VBS,( VBS,F \
VBS; VBS;C VBSB( VBSB1 VBSBF VBSBN VBSBS VBSBV VBSC VBSK( VBSK1 VBSKF VBSKN VBSKS VBSKV VBSO( VBSO1 VBSOF VBSON VBSOS \
VBSOV VBSU( VBSUE VBV VBV&( VBV&1 VBV&F VBV&N VBV&S VBV&V VBV,( VBV,F VBV; VBV;C VBVB( VBVB1 VBVBF VBVBN VBVBS VBVBV \
VBVC VBVK( VBVK1 VBVKF VBVKN VBVKS VBVKV VBVO( VBVOF VBVOS VBVU( VBVUE VC VE(1) VE(1O VE(F( VE(N) VE(NO VE(S) VE(SO \
VE(V) VE(VO VE1;T VE1C VE1O( VE1OF VE1OS VE1OV VE1T( VE1T1 VE1TF VE1TN VE1TS VE1TV VE1UE VEF() VEF(1 VEF(F VEF(N VEF(S \
VEF(V VEK(1 VEK(E VEK(F VEK(N VEK(S VEK(V VEK1; VEK1C VEK1O VEK1T VEK1U VEKF( VEKN; VEKNC VEKNE VEKNT VEKNU VEKOK \
VEKS; VEKSC VEKSO VEKST VEKSU VEKU( VEKU1 VEKUE VEKUF VEKUS VEKUV VEKV; VEKVC VEKVO VEKVT VEKVU VEN;T VENC VENEN VENO( \
VENOF VENOS VENOV VENT( VENT1 VENTF VENTN VENTS VENTV VENUE VEOKN VES;T VESC VESO( VESO1 VESOF VESON VESOS VESOV VEST( \
VEST1 VESTF VESTN VESTS VESTV VESUE VEU(1 VEU(F VEU(N VEU(S VEU(V VEU1, VEU1C VEU1O VEUEF VEUEK VEUF( VEUS, VEUSC \
VEUSO VEUV, VEUVC VEUVO VEV;T VEVC VEVO( VEVOF VEVOS VEVT( VEVT1 VEVTF VEVTN VEVTS VEVTV VEVUE VF()1 VF()F VF()K VF()N \
VF()O VF()S VF()U VF()V VF(1) VF(1N VF(1O VF(E( VF(E1 VF(EF VF(EK VF(EN VF(ES VF(EV VF(F( VF(N) VF(N, VF(NO VF(S) \
VF(SO VF(V) VF(VO VK(1) VK(1O VK(F( VK(N) VK(NO VK(S) VK(SO VK(V) VK(VO VK)&( VK)&1 VK)&F VK)&N VK)&S VK)&V VK);E \
VK);T VK)B( VK)B1 VK)BF VK)BN VK)BS VK)BV VK)E( VK)E1 VK)EF VK)EK VK)EN VK)ES VK)EV VK)F( VK)O( VK)OF VK)UE VK1 VK1&( \
VK1&1 VK1&F VK1&N VK1&S VK1&V VK1; VK1;C VK1;E VK1;T VK1B( VK1B1 VK1BF VK1BN VK1BS VK1BV VK1C VK1E( VK1E1 VK1EF VK1EK \
VK1EN VK1ES VK1EV VK1O( VK1OF VK1OS VK1OV VK1U( VK1UE VKF() VKF(1 VKF(F VKF(N VKF(S VKF(V VKN VKN&( VKN&1 VKN&F VKN&N \
VKN&S VKN&V VKN; VKN;C VKN;E VKN;T VKNB( VKNB1 VKNBF VKNBN VKNBS VKNBV VKNC VKNE( VKNE1 VKNEF VKNEN VKNES VKNEV VKNU( \
VKNUE VKS VKS&( VKS&1 VKS&F VKS&N VKS&S VKS&V VKS; VKS;C VKS;E VKS;T VKSB( VKSB1 VKSBF VKSBN VKSBS VKSBV VKSC VKSE( \
VKSE1 VKSEF VKSEK VKSEN VKSES VKSEV VKSO( VKSO1 VKSOF VKSON VKSOS VKSOV VKSU( VKSUE VKUE( VKUE1 VKUEF VKUEK VKUEN \
VKUES VKUEV VKV VKV&( VKV&1 VKV&F VKV&N VKV&S VKV&V VKV; VKV;C VKV;E VKV;T VKVB( VKVB1 VKVBF VKVBN VKVBS VKVBV VKVC \
VKVE( VKVE1 VKVEF VKVEK VKVEN VKVES VKVEV VKVO( VKVOF VKVOS VKVU( VKVUE VO(1& VO(1) VO(1, VO(1O VO(E( VO(E1 VO(EE \
VO(EF VO(EK VO(EN VO(EO VO(ES VO(EV VO(F( VO(N& VO(N) VO(N, VO(NO VO(S& VO(S) VO(S, VO(SO VO(V& VO(V) VO(V, VO(VO \
VOF() VOF(1 VOF(E VOF(F VOF(N VOF(S VOF(V VOK&( VOK&1 VOK&F VOK&N VOK&S VOK&V VOK(1 VOK(F VOK(N VOK(S VOK(V VOK1C \
VOK1O VOKF( VOKNC VOKO( VOKO1 VOKOF VOKON VOKOS VOKOV VOKSC VOKSO VOKVC VOKVO VOS VOS&( VOS&1 VOS&E VOS&F VOS&K VOS&N \
VOS&S VOS&U VOS&V VOS(E VOS(U VOS)& VOS), VOS); VOS)B VOS)C VOS)E VOS)F VOS)K VOS)O VOS)U VOS,( VOS,F VOS1( VOS1F \
VOS1N VOS1S VOS1U VOS1V VOS; VOS;C VOS;E VOS;N VOS;T VOSA( VOSAF VOSAS VOSAT VOSAV VOSB( VOSB1 VOSBE VOSBF VOSBN VOSBS \
VOSBV VOSC VOSE( VOSE1 VOSEF VOSEK VOSEN VOSEO VOSES VOSEU VOSEV VOSF( VOSK( VOSK) VOSK1 VOSKB VOSKF VOSKN VOSKS VOSKU \
VOSKV VOST( VOST1 VOSTE VOSTF VOSTN VOSTS VOSTT VOSTV VOSU VOSU( VOSU1 VOSU; VOSUC VOSUE VOSUF VOSUK VOSUO VOSUS VOSUT \
VOSUV VOSV( VOSVF VOSVO VOSVS VOSVU VOU(E VOUEK VOUEN VT(1) VT(1O VT(F( VT(N) VT(NO VT(S) VT(SO VT(V) VT(VO VT1(F \
VT1O( VT1OF VT1OS VT1OV VTE(1 VTE(F VTE(N VTE(S VTE(V VTE1N VTE1O VTEF( VTEK( VTEK1 VTEKF VTEKN VTEKS VTEKV VTENN \
VTENO VTESN VTESO VTEVN VTEVO VTF() VTF(1 VTF(F VTF(N VTF(S VTF(V VTN(1 VTN(F VTN(S VTN(V VTN1C VTN1O VTN;E VTN;N \
VTN;T VTNE( VTNE1 VTNEF VTNEN VTNES VTNEV VTNF( VTNKN VTNN: VTNNC VTNNO VTNO( VTNOF VTNOS VTNOV VTNSC VTNSO VTNT( \
VTNT1 VTNTF VTNTN VTNTS VTNTV VTNVC VTNVO VTS(F VTSO( VTSO1 VTSOF VTSON VTSOS VTSOV VTTNE VTTNK VTTNN VTTNT VTV(1 \
VTV(F VTVO( VTVOF VTVOS VU VU(1) VU(1O VU(E( VU(E1 VU(EF VU(EK VU(EN VU(ES VU(EV VU(F( VU(N) VU(NO VU(S) VU(SO VU(V) \
VU(VO VU1,( VU1,F VU1C VU1O( VU1OF VU1OS VU1OV VU; VU;C VUC VUE VUE(1 VUE(E VUE(F VUE(N VUE(O VUE(S VUE(V VUE1 VUE1& \
VUE1( VUE1) VUE1, VUE1; VUE1B VUE1C VUE1F VUE1K VUE1N VUE1O VUE1S VUE1U VUE1V VUE; VUE;C VUEC VUEF VUEF( VUEF, VUEF; \
VUEFC VUEK VUEK( VUEK1 VUEK; VUEKC VUEKF VUEKN VUEKO VUEKS VUEKV VUEN VUEN& VUEN( VUEN) VUEN, VUEN1 VUEN; VUENB VUENC \
VUENF VUENK VUENO VUENS VUENU VUEOK VUEON VUES VUES& VUES( VUES) VUES, VUES1 VUES; VUESB VUESC VUESF VUESK VUESO VUESU \
VUESV VUEV VUEV& VUEV( VUEV) VUEV, VUEV; VUEVB VUEVC VUEVF VUEVK VUEVN VUEVO VUEVS VUEVU VUF() VUF(1 VUF(F VUF(N VUF(S \
VUF(V VUK(E VUO(E VUON( VUON1 VUONF VUONS VUS,( VUS,F VUSC VUSO( VUSO1 VUSOF VUSON VUSOS VUSOV VUTN( VUTN1 VUTNF VUTNN \
VUTNS VUTNV VUV,( VUV,F VUVC VUVO( VUVOF VUVOS X \
";
