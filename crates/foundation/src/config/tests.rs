//! The sentences about settings that are rejected, and the settings that suffice.

use super::tokens::SECRET_BYTES;
use super::*;

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let file = (!file.is_empty()).then(|| ("my.toml".into(), file.into()));
    let variables = variables.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Config::from_parts(file, variables).map_err(|error| error.to_string())
}

fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    load(file, variables).err().expect("a refusal")
}

#[test]
fn defaults_suffice_and_the_environment_wins_over_the_file() {
    let config = load("", &[]).expect("defaults");
    assert!(config.demo() && config.database.migrates() && !config.logs_json());
    let config = load("port = 1\nhost = '::1'", &[("PORT", "2")]).expect("both");
    assert_eq!((config.server.port, config.server.host.as_str()), (2, "::1"));
    assert!(config.describe().contains("environment PORT"));
    let token = "a token that is long enough for that";
    let config = load("", &[("ACCORD_METRICS_TOKEN", token)]).expect("a token");
    assert!(!config.describe().contains(token), "{}", config.describe());
    assert!(refusal("", &[("ACCORD_METRICS_TOKEN", "short")]).contains("at least 32"));
    let config = load("", &[("DATABASE_URL", "postgres://a:b@c/d")]).expect("postgres");
    assert!(!config.database.migrates());
    assert!(!config.describe().contains("a:b@"));
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    assert!(refusal("prot = 1", &[]).contains("did you mean `port`?"));
    assert!(refusal("", &[("ACCORD_RATELIMIT", "1")]).contains("did you mean `ACCORD_RATE_LIMIT`?"));
    assert!(load("", &[("ACCORD_TEST_POSTGRES_URL", "x")]).is_ok());
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    assert!(refusal("port = 'x'", &[]).contains("`port` must be a whole number"));
    assert!(refusal("", &[("PORT", "x")]).contains("PORT must be a whole number"));
    assert!(refusal("", &[("ACCORD_MIGRATE", "sideways")]).contains("up, off, auto"));
    assert!(refusal("", &[("ACCORD_ENV", "production")]).contains("production"));
    assert!(refusal("", &[("DATABASE_URL", "mysql://x")]).contains("DATABASE_URL"));
    assert!(refusal("", &[("DATABASE_URL", "sqlite::memory:")]).contains("must name a file"));
    assert!(refusal("", &[("DATABASE_URL", "sqlite:a.db?mode=memory")]).contains("must name a file"));
    assert!(refusal("", &[("DATABASE_URL", "sqlite:a.db?colour=red")]).contains("DATABASE_URL: unknown query"));
    let config = load("", &[("DATABASE_URL", "sqlite://a%20b.db?mode=rwc")]).expect("valid");
    assert_eq!(config.database.file(), Some("a b.db".into()));
    assert!(refusal("", &[("ACCORD_DEMO", "maybe")]).contains("true, false or auto"));
    assert!(refusal("", &[("ACCORD_DOCS", "maybe")]).contains("true, false or auto"));
    assert!(refusal("", &[("ACCORD_DB_TIMEOUT", "9223372036854775807")]).contains("1 to 3600"));
    assert!(refusal("", &[("ACCORD_BODY_TIMEOUT", "0")]).contains("1 to 3600"));
    assert!(refusal("", &[("ACCORD_CORS_ORIGINS", "*")]).contains("is no origin"));
    assert!(refusal("", &[("ACCORD_CORS_ORIGINS", "https://a.b/")]).contains("is no origin"));
    for proxy in ["localhost", "10.0.0.0/33", "10.0.0", "10.0.0.1;10.0.0.2"] {
        let sentence = refusal("", &[("ACCORD_TRUSTED_PROXIES", &format!("127.0.0.1, {proxy}"))]);
        assert!(sentence.contains(&format!("`{proxy}` is no address")), "{sentence}");
    }
    let config = load("", &[("ACCORD_TRUSTED_PROXIES", "::1, ,10.0.0.0/8,")]).expect("two proxies");
    assert_eq!(config.server.trusted_proxies().len(), 2);
    assert!(refusal("", &[("ACCORD_CONFIG_FILE", "x")]).contains("ACCORD_CONFIG_FILE"));
}

#[test]
fn an_identity_provider_is_named_with_whom_its_tokens_are_for() {
    let issuer = ("ACCORD_OIDC_ISSUER", "https://id.example.com/realm");
    let audience = ("ACCORD_OIDC_AUDIENCE", "accord");
    assert!(load("", &[issuer, audience]).is_ok());
    assert!(refusal("", &[issuer]).contains("ACCORD_OIDC_AUDIENCE is not set"));
    for alone in [audience, ("ACCORD_OIDC_PROVISION", "true"), ("ACCORD_OIDC_LINK_BY_EMAIL", "true")] {
        assert!(refusal("", &[alone]).contains("ACCORD_OIDC_ISSUER is not set"));
    }
    for url in ["id.example.com", "ftp://id.example.com", "https://id.example.com?x", "https://id.example.com#x"] {
        assert!(refusal("", &[("ACCORD_OIDC_ISSUER", url), audience]).contains("must be a URL"), "{url}");
    }
    let plain = ("ACCORD_OIDC_ISSUER", "http://127.0.0.1:8080");
    assert!(load("", &[plain, audience]).is_ok());
    let prod = [("ACCORD_ENV", "prod"), ("SECRET_KEY", "0123456789abcdef0123456789abcdef"), plain, audience];
    assert!(refusal("", &prod).contains("http only outside prod"));
    assert!(refusal("", &[issuer, audience, ("ACCORD_OIDC_WAIT", "0")]).contains("`oidc_wait`"));
}

#[test]
fn an_error_in_a_settings_file_names_the_place_and_shows_no_value() {
    for (file, place) in [
        ("port = 1\nsecret_key = 's3cr3t-value\n", "my.toml:2:"),
        ("secret_key = s3cr3t-value", "my.toml:1:"),
        ("secret_key = \"s3cr3t-value\\q\"", "my.toml:1:"),
        ("secret_key = 's3cr3t-value' 's3cr3t-value'", "my.toml:1:"),
        ("secret_key 's3cr3t-value'", "my.toml:1:"),
        ("secret_key = 's3cr3t-value'\nsecret_key = 's3cr3t-value'", "my.toml:2:"),
        ("secret_key = ['s3cr3t-value']", "`secret_key` must be text"),
        ("secret_key = { s3cr3t-value = 1 }", "`secret_key` must be text"),
        ("port = 's3cr3t-value'", "`port` must be a whole number"),
        ("[secret_key]\ns3cr3t-value = 1", "`secret_key` must be text"),
    ] {
        let sentence = refusal(file, &[]);
        assert!(sentence.contains(place) && !sentence.contains("s3cr3t"), "{sentence}");
    }
}

#[test]
fn further_keys_are_as_long_as_the_first_and_others() {
    let (key, next) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    let refusal = |more: &str| refusal("", &[("SECRET_KEY", key), ("ACCORD_MORE_SECRET_KEYS", more)]);
    let config = load("", &[("SECRET_KEY", key), ("ACCORD_MORE_SECRET_KEYS", &format!(" {next}, "))]);
    let config = config.expect("valid");
    assert_eq!(config.tokens.more_secret_keys(), [next]);
    assert!(!config.describe().contains(next));
    assert!(refusal("short").contains("a key of ACCORD_MORE_SECRET_KEYS has 5 bytes"));
    assert!(refusal(key).contains("has SECRET_KEY in it"));
}

#[test]
fn a_masked_address_keeps_the_password_to_itself() {
    for (url, masked) in [
        ("postgres://u:p@h:5432/d", "postgres://u:***@h:5432/d"),
        ("postgres://u:p#@x@h/d?password=q", "postgres://u:***@h/d"),
        ("postgres://h/d?password=q", "postgres://h/d"),
        ("sqlite:data/accord.db", "sqlite:data/accord.db"),
    ] {
        assert_eq!(mask(url), masked);
    }
}

#[cfg(unix)]
#[test]
fn secret_and_database_are_kept_for_their_owner() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("data/t.db").display());
    let config = load("", &[("DATABASE_URL", &url)]).expect("valid");
    let secret = config.secret().expect("made");
    assert!(secret.len() >= SECRET_BYTES);
    assert_eq!(config.secret().expect("kept"), secret);
    config.database.make_file().expect("made");
    config.database.make_file().expect("there already");
    for name in ["data/accord.secret", "data/t.db"] {
        let file = std::fs::metadata(folder.path().join(name)).expect("is there");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600, "{name}");
    }
}

#[test]
fn host_that_other_machines_reach_is_treated_as_exposed() {
    let secret = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    for env in ["dev", "test"] {
        for host in ["0.0.0.0", "::", "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "api.example.com"] {
            let exposed = [("ACCORD_ENV", env), ("HOST", host)];
            let [env, host] = exposed;
            let missing = refusal("", &exposed);
            assert!(missing.contains("SECRET_KEY is not set") && missing.contains(host.1), "{missing}");
            assert!(refusal("", &[env, host, ("SECRET_KEY", &"a".repeat(40))]).contains("can be guessed"));
            let demo = refusal("", &[env, host, secret, ("ACCORD_DEMO", "true")]);
            assert!(demo.contains("ACCORD_DEMO=true") && demo.contains(host.1), "{demo}");
            let config = load("", &[env, host, secret]).expect("a secret key is enough");
            assert!(config.is_exposed() && !config.demo());
        }
    }
    for host in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"] {
        let config = load("", &[("HOST", host)]).expect("loopback needs no secret key");
        assert!(!config.is_exposed() && config.demo(), "{host}");
    }
}

#[test]
fn prod_refuses_what_is_unsafe() {
    let prod = ("ACCORD_ENV", "prod");
    let secret = ("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    assert!(refusal("", &[prod]).contains("SECRET_KEY is not set"));
    assert!(refusal("", &[prod, ("SECRET_KEY", "short")]).contains("at least 32"));
    assert!(refusal("", &[prod, ("SECRET_KEY", &"a".repeat(40))]).contains("can be guessed"));
    assert!(refusal("", &[prod, secret, ("ACCORD_DEMO", "true")]).contains("ACCORD_DEMO"));
    assert!(refusal("", &[prod, secret, ("DEBUG", "true")]).contains("DEBUG"));
    assert!(!load("", &[prod, secret]).expect("fit for prod").demo());
}
