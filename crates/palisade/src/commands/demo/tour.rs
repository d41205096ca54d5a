//! What the demonstration says to begin with: where everything is, what to ask, and which answer to expect.

use super::bank::{Bank, Plan};

/// SQL injection as people type it, and the same in base64 in JSON.
const INJECTION: &str = "1' UNION SELECT name, password FROM users--";
const WRAPPED: &str = "eyJpZCI6IjEnIFVOSU9OIFNFTEVDVCBuYW1lLCBwYXNzd29yZCBGUk9NIHVzZXJzLS0ifQ==";

/// The bank's.
pub(super) fn bank(bank: &Bank, plan: &Plan, seed: u64, attacks: bool, notes: &[String]) -> String {
    let (url, admin) = (bank.url(), bank.admin);
    let folder = bank.folder.path().display();
    let program =
        std::env::current_exe().map_or_else(|_| "palisade".into(), |path| path.display().to_string());
    let judges = match &plan.crs {
        Some(crs) => format!("CRS from {} and the built-in detector", crs.display()),
        None => "the built-in detector alone (no CRS was found: --crs DIR names one)".to_owned(),
    };
    let passes = match plan.crs {
        Some(_) => "403, the same injection in base64 in JSON, which CRS alone lets pass",
        None => "403, the same injection in base64 in JSON",
    };
    let who = match attacks {
        true => {
            "three visitors; somebody who tries an attack a second; a pod with summary's stolen key that sets a\n          \
                 balance; customer's pod, which asks the database itself"
        }
        false => "three visitors, no attacks",
    };
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    format!(
        r#"console   http://{admin}/
bank      {url}/
          YAO Bank behind Palisade, mode block: {judges};
          mTLS between customer, summary and database; the tutorial's three policies
files     {folder} (gone when this ends)
traffic   {who}; --seed {seed} repeats it
{notes}
Try, in another terminal:

  200, a customer's page:
    curl -i '{url}/'

  403 with a request id, SQL injection:
    curl -i -G '{url}/' --data-urlencode "id={INJECTION}"

  {passes}:
    curl -i '{url}/echo' -H 'Content-Type: application/json' -d '{{"profile":"{WRAPPED}"}}'

And then:
    curl -i -X POST '{url}/' -d a=b
      403: the policy of customer allows GET alone. Change {folder}/policies/policies.yaml;
      it is in force a second later
    {program} events query --data-dir {folder}/data --limit 5
      what was decided, and why
    curl -s http://{admin}/metrics | grep blocked

Ctrl-C ends it and takes everything away.

"#
    )
}
