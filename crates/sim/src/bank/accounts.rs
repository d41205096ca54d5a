//! Whose money the bank keeps. Nobody's: names and numbers are those of the demonstration that the bank is made after.

/// An account as the bank begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Its number, as it stands in keys.
    pub id: &'static str,
    /// Its owner.
    pub name: &'static str,
    /// What is on it, as a text.
    pub balance: &'static str,
}

/// All of them; the first is the one that the customer's page shows.
pub const ACCOUNTS: [Account; 6] = [
    Account { id: "519940", name: "Spike Curtis", balance: "2389.45" },
    Account { id: "407221", name: "Simon Gideon", balance: "95780.11" },
    Account { id: "387747", name: "Harry Norman Kynes", balance: "39082.11" },
    Account { id: "436839", name: "George Ball", balance: "543.34" },
    Account { id: "036273", name: "Sally Yates", balance: "3597.89" },
    Account { id: "468009", name: "Laura Sargent", balance: "8854.39" },
];
