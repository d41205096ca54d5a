//! The words of the language, the functions that injections call, and the names of servers' own tables.

macro_rules! words {
    ($($variant:ident = $spelled:literal,)*) => {
        /// A word that means something to a parser. Words that only matter at one place are compared there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Word {
            $($variant,)*
        }

        impl Word {
            fn of_lower(word: &[u8]) -> Option<Self> {
                Some(match word {
                    $($spelled => Self::$variant,)*
                    _ => return None,
                })
            }
        }
    };
}

/// Bytes of the longest word.
pub(super) const WORD_BYTES_MAX: usize = 16;

impl Word {
    /// Finds a word, case ignored.
    pub(super) fn of(spelled: &[u8]) -> Option<Self> {
        let mut lower = [0; WORD_BYTES_MAX];
        let lower = lower.get_mut(..spelled.len())?;
        lower.copy_from_slice(spelled);
        lower.make_ascii_lowercase();
        Self::of_lower(lower)
    }
}

words! {
    And = b"and", Or = b"or", Xor = b"xor", Not = b"not",
    Like = b"like", Ilike = b"ilike", Rlike = b"rlike", Regexp = b"regexp", Glob = b"glob", Match = b"match",
    Similar = b"similar", Sounds = b"sounds", In = b"in", Between = b"between", Is = b"is", IsNull = b"isnull",
    NotNull = b"notnull", Div = b"div", Mod = b"mod", Collate = b"collate", Escape = b"escape",
    Select = b"select", Union = b"union", Intersect = b"intersect", Except = b"except", Minus = b"minus",
    All = b"all", Distinct = b"distinct", DistinctRow = b"distinctrow", From = b"from", Where = b"where",
    Group = b"group", Order = b"order", By = b"by", Having = b"having", Limit = b"limit", Offset = b"offset",
    Fetch = b"fetch", As = b"as", On = b"on", Using = b"using", Join = b"join", Left = b"left", Right = b"right",
    Inner = b"inner", Outer = b"outer", Cross = b"cross", Full = b"full", Natural = b"natural", Into = b"into",
    Outfile = b"outfile", Dumpfile = b"dumpfile", Procedure = b"procedure", For = b"for", Case = b"case",
    When = b"when", Then = b"then", Else = b"else", End = b"end", Null = b"null", True = b"true", False = b"false",
    Exists = b"exists", Any = b"any", Some = b"some", Values = b"values", With = b"with", Table = b"table",
    Top = b"top", Interval = b"interval", Binary = b"binary", Separator = b"separator",
    Insert = b"insert", Update = b"update", Delete = b"delete", Drop = b"drop", Create = b"create", Alter = b"alter",
    Truncate = b"truncate", Exec = b"exec", Execute = b"execute", Call = b"call", Declare = b"declare", Set = b"set",
    Waitfor = b"waitfor", Shutdown = b"shutdown", Begin = b"begin", If = b"if", While = b"while", Grant = b"grant",
    Revoke = b"revoke", Copy = b"copy", Load = b"load", Attach = b"attach", Pragma = b"pragma", Replace = b"replace",
    Merge = b"merge", Rename = b"rename", Show = b"show", Describe = b"describe", Use = b"use", Kill = b"kill",
    Backup = b"backup", Restore = b"restore", Handler = b"handler", Do = b"do", Prepare = b"prepare",
    Explain = b"explain", Vacuum = b"vacuum", Print = b"print", Bulk = b"bulk", Reconfigure = b"reconfigure",
    Commit = b"commit", Rollback = b"rollback",
}

/// What a function is called for by those who inject it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Takes text apart or makes it: `substring`, `char`, `concat`.
    Text,
    /// Says something about the server: `version`, `current_user`.
    Tells,
    /// Puts its argument into an error message, or fails on demand: `extractvalue`.
    Errs,
    /// Takes as long as it is told: `sleep`, `benchmark`.
    Waits,
    /// Reads or writes files: `load_file`.
    Files,
    /// Speaks to other machines: `utl_http.request`.
    Calls,
    /// Runs commands, or changes what the server allows: `xp_cmdshell`.
    Runs,
}

/// What a function is known for, by its name in lower case, the schema before it included.
pub(super) fn function(path: &[u8]) -> Option<Use> {
    let last = path.rsplit(|byte| *byte == b'.').next().unwrap_or(path);
    let qualified = last.len() < path.len();
    if qualified {
        let package = path.split(|byte| *byte == b'.').rev().nth(1).unwrap_or_default();
        match package {
            b"dbms_pipe" | b"dbms_lock" | b"user_lock" | b"dbms_session"
                if last.ends_with(b"message") || last == b"sleep" =>
            {
                return Some(Use::Waits);
            }
            b"utl_http" | b"utl_inaddr" | b"utl_tcp" | b"utl_smtp" | b"utl_mail" | b"dbms_ldap"
            | b"httpuritype" => {
                return Some(Use::Calls);
            }
            b"utl_file" | b"dbms_advisor" | b"dbms_lob" | b"bfilename" => return Some(Use::Files),
            b"ctxsys" | b"drithsx" | b"dbms_utility" | b"dbms_xmlgen" | b"dbms_xmlquery" | b"ordsys"
            | b"dbms_xslprocessor" => {
                return Some(Use::Errs);
            }
            b"dbms_java"
            | b"dbms_java_test"
            | b"dbms_scheduler"
            | b"dbms_sql"
            | b"dbms_export_extension"
            | b"sys_eval" => {
                return Some(Use::Runs);
            }
            _ => {}
        }
    }
    let own_schema = qualified && path.iter().filter(|byte| **byte == b'.').count() == 1;
    // `time.sleep(5)` is another language's; `sys.fn_x()` and `master..xp_x` are the server's.
    if own_schema
        && !matches!(
            path.split(|byte| *byte == b'.').next().unwrap_or_default(),
            b"sys" | b"dbo" | b"master" | b"pg_catalog" | b"mysql" | b"public" | b"msdb"
        )
    {
        return None;
    }
    Some(match last {
        b"sleep"
        | b"benchmark"
        | b"pg_sleep"
        | b"pg_sleep_for"
        | b"pg_sleep_until"
        | b"randomblob"
        | b"zeroblob"
        | b"generate_series"
        | b"receive_message"
        | b"sqlite_sleep"
        | b"get_lock"
        | b"release_lock"
        | b"master_pos_wait"
        | b"sleepex"
        | b"wait_for_executed_gtid_set" => Use::Waits,
        b"extractvalue"
        | b"updatexml"
        | b"xmltype"
        | b"sqlid_to_sqlhash"
        | b"gtid_subset"
        | b"gtid_subtract"
        | b"geometrycollection"
        | b"multipoint"
        | b"polygon"
        | b"multipolygon"
        | b"linestring"
        | b"multilinestring"
        | b"st_latfromgeohash"
        | b"st_longfromgeohash"
        | b"st_pointfromgeohash"
        | b"name_const"
        | b"drithsx"
        | b"regexp_substring"
        | b"crypt_key"
        | b"query_to_xml"
        | b"database_to_xml"
        | b"table_to_xml"
        | b"raise_application_error"
        | b"uuid_to_bin"
        | b"bin_to_uuid"
        | b"procedure_analyse" => Use::Errs,
        b"load_file"
        | b"lo_import"
        | b"lo_export"
        | b"lo_get"
        | b"lo_put"
        | b"lo_from_bytea"
        | b"pg_read_file"
        | b"pg_read_binary_file"
        | b"pg_ls_dir"
        | b"pg_stat_file"
        | b"pg_file_write"
        | b"bfilename"
        | b"load_extension"
        | b"readfile"
        | b"writefile"
        | b"csvread"
        | b"csvwrite"
        | b"file_read"
        | b"file_write"
        | b"xp_dirtree"
        | b"xp_fileexist"
        | b"xp_subdirs"
        | b"openrowset"
        | b"opendatasource" => Use::Files,
        b"httpuritype"
        | b"dblink"
        | b"dblink_connect"
        | b"dblink_send_query"
        | b"http_get"
        | b"http_post"
        | b"openquery"
        | b"fn_xe_file_target_read_file"
        | b"fn_get_audit_file"
        | b"fn_trace_gettable" => Use::Calls,
        b"sys_exec" | b"sys_eval" | b"xp_cmdshell" | b"link_shell" | b"system_exec" => Use::Runs,
        b"version" | b"database" | b"user" | b"current_user" | b"session_user" | b"system_user"
        | b"schema" | b"current_database" | b"current_schema" | b"current_setting" | b"connection_id"
        | b"last_insert_id" | b"sqlite_version" | b"db_name" | b"db_id" | b"suser_name" | b"suser_sname"
        | b"user_name" | b"host_name" | b"object_id" | b"object_name" | b"col_name" | b"serverproperty"
        | b"is_srvrolemember" | b"is_member" | b"has_dbaccess" | b"inet_server_addr"
        | b"inet_client_addr" | b"getpgusername" | b"sys_context" | b"userenv" | b"row_count"
        | b"found_rows" | b"current_catalog" | b"cluster_name" => Use::Tells,
        b"substring" | b"substr" | b"mid" | b"ascii" | b"ord" | b"unicode" | b"char" | b"chr" | b"nchar"
        | b"hex" | b"unhex" | b"concat" | b"concat_ws" | b"group_concat" | b"string_agg" | b"listagg"
        | b"xmlagg" | b"xmlrow" | b"length" | b"char_length" | b"character_length" | b"octet_length"
        | b"bit_length" | b"len" | b"datalength" | b"cast" | b"convert" | b"conv" | b"bin" | b"ifnull"
        | b"nullif" | b"isnull" | b"coalesce" | b"nvl" | b"nvl2" | b"decode" | b"encode" | b"elt"
        | b"make_set" | b"export_set" | b"if" | b"iif" | b"greatest" | b"least" | b"md5" | b"sha1"
        | b"sha2" | b"sha" | b"password" | b"aes_encrypt" | b"aes_decrypt" | b"des_encrypt" | b"count"
        | b"sum" | b"avg" | b"min" | b"max" | b"floor" | b"rand" | b"random" | b"exp" | b"pow" | b"power"
        | b"ceil" | b"ceiling" | b"abs" | b"mod" | b"round" | b"lower" | b"upper" | b"lcase" | b"ucase"
        | b"trim" | b"ltrim" | b"rtrim" | b"reverse" | b"repeat" | b"replicate" | b"replace" | b"lpad"
        | b"rpad" | b"space" | b"instr" | b"locate" | b"position" | b"charindex" | b"patindex"
        | b"find_in_set" | b"field" | b"left" | b"right" | b"strcmp" | b"quote" | b"quote_literal"
        | b"quote_ident" | b"to_char" | b"to_number" | b"to_date" | b"rawtohex" | b"utl_raw" | b"bitand"
        | b"row" | b"row_number" | b"now" | b"sysdate" | b"getdate" | b"json_extract" | b"json_keys"
        | b"json_value" | b"json_array" | b"json_object" | b"json_contains" | b"json_depth"
        | b"json_arrayagg" | b"array_agg" | b"array_to_string" | b"string_to_array" | b"regexp_replace"
        | b"regexp_substr" | b"regexp_like" | b"regexp_instr" | b"like" | b"glob" | b"typeof" | b"printf"
        | b"interval" | b"insert" | b"translate" | b"to_base64" | b"from_base64" | b"hextoraw"
        | b"compress" | b"uncompress" | b"bit_count" | b"crc32" | b"soundex" | b"difference" | b"stuff"
        | b"str" | b"unistr" | b"asciistr" | b"zipfile" | b"xmlelement" | b"xmlforest" | b"unnest"
        | b"any_value" | b"exists" | b"values" => Use::Text,
        _ => return None,
    })
}

/// Whether a table or variable is one in which a server describes itself. In lower case, its schema included.
pub(super) fn is_system_name(path: &[u8]) -> bool {
    let first = path.split(|byte| *byte == b'.').next().unwrap_or(path);
    let last = path.rsplit(|byte| *byte == b'.').next().unwrap_or(path);
    let qualified = last.len() < path.len();
    if qualified
        && matches!(
            first,
            b"information_schema"
                | b"mysql"
                | b"sys"
                | b"syscat"
                | b"sysibm"
                | b"sysibmadm"
                | b"syscs"
                | b"pg_catalog"
                | b"performance_schema"
                | b"master"
                | b"msdb"
                | b"tempdb"
                | b"sysmaster"
        )
    {
        return true;
    }
    matches!(
        last,
        b"information_schema"
            | b"sysobjects"
            | b"syscolumns"
            | b"sysusers"
            | b"sysdatabases"
            | b"syslogins"
            | b"sysxlogins"
            | b"sysprocesses"
            | b"systables"
            | b"all_tables"
            | b"all_users"
            | b"all_tab_columns"
            | b"all_objects"
            | b"user_tables"
            | b"user_tab_columns"
            | b"user_objects"
            | b"user_users"
            | b"dba_users"
            | b"dba_tables"
            | b"sqlite_master"
            | b"sqlite_schema"
            | b"sqlite_temp_master"
            | b"sqlite_sequence"
            | b"msysaccessobjects"
            | b"msysobjects"
            | b"msysaces"
            | b"dual"
            | b"system_users"
            | b"character_sets"
            | b"innodb_table_stats"
    ) || [&b"pg_"[..], b"v$", b"gv$", b"rdb$", b"all_tab", b"dba_", b"information_schema"]
        .iter()
        .any(|prefix| last.starts_with(prefix) && last.len() > prefix.len() + 2)
}
