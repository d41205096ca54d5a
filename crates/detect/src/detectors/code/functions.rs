//! What functions do that attacks call, by name, whatever the language.

use super::super::ascii;

/// What a function does for who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Starts a program.
    Runs,
    /// Runs a text as code.
    Evaluates,
    /// Calls what it is given the name of.
    Calls,
    /// Gets at classes and methods by name.
    Reflects,
    /// Reads or writes files.
    Files,
    /// Tells about the server.
    Tells,
}

impl Does {
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Runs => "starts a program",
            Self::Evaluates => "runs a text as code",
            Self::Calls => "calls a function by name",
            Self::Reflects => "gets at classes by name",
            Self::Files => "reads or writes files",
            Self::Tells => "tells about the server",
        }
    }
}

/// A function that is called by its name alone: `system("id")`.
pub(crate) fn call(name: &[u8]) -> Option<Does> {
    find(CALLS, name)
}

/// A function that is called on something: `os.system("id")`, `x.getClass()`.
pub(crate) fn member_call(name: &[u8]) -> Option<Does> {
    find(MEMBERS, name)
}

/// A name that a function of functions would call: `array_map("system", ..)`, `|filter('passthru')`.
pub(crate) fn is_handler_name(name: &[u8]) -> bool {
    ascii::is_one_of(
        name,
        &[
            "system",
            "exec",
            "passthru",
            "shell_exec",
            "popen",
            "proc_open",
            "pcntl_exec",
            "eval",
            "assert",
            "phpinfo",
            "call_user_func",
            "call_user_func_array",
            "create_function",
            "file_get_contents",
            "readfile",
            "show_source",
            "highlight_file",
            "file_put_contents",
            "ini_set",
            "error_reporting",
            "ob_start",
            "include",
            "require",
            "unserialize",
            "var_dump",
            "print_r",
            "getenv",
            "scandir",
            "glob",
            "chr",
            "curl_exec",
            "putenv",
            "mail",
            "dl",
            "base64_decode",
        ],
    )
}

/// Whether a name is one of those through which Python objects lead to everything else. `__name__` and the like are not:
/// they lead nowhere.
pub(crate) fn python_internal(name: &[u8]) -> bool {
    [
        &b"__class__"[..],
        b"__mro__",
        b"__base__",
        b"__bases__",
        b"__subclasses__",
        b"__globals__",
        b"__builtins__",
        b"__builtin__",
        b"__import__",
        b"__init__",
        b"__getitem__",
        b"__getattribute__",
        b"__getattr__",
        b"__dict__",
        b"__code__",
        b"__closure__",
        b"__func__",
        b"__self__",
        b"__reduce__",
        b"__reduce_ex__",
        b"__call__",
        b"__enter__",
        b"__loader__",
        b"__spec__",
        b"func_globals",
        b"gi_frame",
        b"f_globals",
        b"f_builtins",
        b"f_back",
        b"cr_frame",
        b"tb_frame",
        b"_mmarker",
    ]
    .contains(&name)
        || ["_TemplateReference__", "_NSAttr__", "_with_template", "_Undefined__"]
            .iter()
            .any(|prefix| name.starts_with(prefix.as_bytes()))
}

fn find(table: &[(Does, &[&str])], name: &[u8]) -> Option<Does> {
    table.iter().find(|(_, names)| ascii::is_one_of(name, names)).map(|(does, _)| *does)
}

const CALLS: &[(Does, &[&str])] = &[
    (
        Does::Runs,
        &[
            "system",
            "exec",
            "passthru",
            "shell_exec",
            "popen",
            "proc_open",
            "pcntl_exec",
            "execsync",
            "spawnsync",
            "execfile",
            "execfilesync",
            "popen2",
            "popen3",
            "check_output",
            "getoutput",
            "backticks",
            "spawn",
            "qx",
            "fork",
            "win_shell_execute",
            "expect_popen",
            "os_execute",
        ],
    ),
    (
        Does::Evaluates,
        &[
            "eval",
            "assert",
            "create_function",
            "__import__",
            "instance_eval",
            "class_eval",
            "module_eval",
            "execscript",
            "loadstring",
            "compile",
            "runinthiscontext",
            "runinnewcontext",
            "evaluate",
            "function",
            "import_module",
            "iex",
            "execute",
        ],
    ),
    (
        Does::Calls,
        &[
            "call_user_func",
            "call_user_func_array",
            "array_map",
            "array_filter",
            "array_walk",
            "array_reduce",
            "usort",
            "uasort",
            "uksort",
            "register_shutdown_function",
            "register_tick_function",
            "forward_static_call",
            "ob_start",
            "iterator_apply",
            "preg_replace_callback",
            "array_diff_ukey",
            "array_udiff",
            "array_walk_recursive",
            "set_error_handler",
            "func_overload",
        ],
    ),
    (
        Does::Files,
        &[
            "file_get_contents",
            "file_put_contents",
            "readfile",
            "show_source",
            "highlight_file",
            "fopen",
            "fpassthru",
            "scandir",
            "readfilesync",
            "writefilesync",
            "readdirsync",
            "parse_ini_file",
            "move_uploaded_file",
            "symlink",
            "unlink",
            "file",
            "include",
            "include_once",
            "require_once",
            "php_strip_whitespace",
            "simplexml_load_file",
            "load_file",
            "fread",
            "opendir",
            "file_excerpt",
            "source",
            "copy",
            "glob",
            "require",
        ],
    ),
    (
        Does::Tells,
        &[
            "phpinfo",
            "php_uname",
            "getenv",
            "get_cfg_var",
            "ini_get_all",
            "phpversion",
            "get_defined_vars",
            "phpcredits",
            "getcwd",
        ],
    ),
];

const MEMBERS: &[(Does, &[&str])] = &[
    (
        Does::Runs,
        &[
            "system",
            "popen",
            "exec",
            "execute",
            "execsync",
            "spawnsync",
            "getruntime",
            "check_output",
            "popen3",
            "popen4",
            "capture2",
            "shell",
            "shellexecute",
            "spawn",
            "spawnsync",
            "execfile",
            "execfilesync",
            "startprocess",
        ],
    ),
    (
        Does::Evaluates,
        &[
            "eval",
            "getenginebyname",
            "parseexpression",
            "registerundefinedfiltercallback",
            "registerundefinedfunctioncallback",
            "instance_eval",
            "import_module",
            "__import__",
            "evaluate",
            "setcache",
        ],
    ),
    (
        Does::Reflects,
        &[
            "forname",
            "newinstance",
            "getdeclaredconstructors",
            "getdeclaredconstructor",
            "getconstructor",
            "getdeclaredmethod",
            "getdeclaredmethods",
            "getmethod",
            "getmethods",
            "getdeclaredfield",
            "getdeclaredfields",
            "invoke",
            "loadclass",
            "defineclass",
            "getclassloader",
            "setaccessible",
            "getresourceasstream",
            "inspect",
            "const_get",
            "getstreamvariable",
            "getprotectiondomain",
            "subclasses",
            "__subclasses__",
        ],
    ),
    (
        Does::Files,
        &[
            "readfilesync",
            "readfile",
            "writefile",
            "writefilesync",
            "readdirsync",
            "getresource",
            "file_get_contents",
            "createreadstream",
            "readlines",
            "read_text",
        ],
    ),
    (Does::Tells, &["getenv", "getproperties", "mainmodule", "getsecuritymanager"]),
];
