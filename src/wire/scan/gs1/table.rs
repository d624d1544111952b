//! The application identifiers: GS1 General Specifications, section 3.2 (as in the GS1 Barcode Syntax Dictionary).

use Part::{Date, N, Nv, Opt, X, Xv, Y, Z};

/// A stretch of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// So many digits.
    N(usize),
    /// So many digits, the last of which is a check digit (section 7.9.1).
    Check(usize),
    /// A date YYMMDD; day 00 means the whole month (7.12).
    Date,
    /// One to so many digits.
    Nv(usize),
    /// So many characters of set 82 (7.11).
    X(usize),
    /// One to so many characters of set 82.
    Xv(usize),
    /// One to so many characters of set 39.
    Y(usize),
    /// One to so many characters of set 64 (base64url).
    Z(usize),
    /// None, or so many digits: a last part that may be left out.
    Opt(&'static Part),
}

impl Part {
    /// Most characters it takes.
    pub(super) fn longest(&self) -> usize {
        match self {
            N(n) | Part::Check(n) | Nv(n) | X(n) | Xv(n) | Y(n) | Z(n) => *n,
            Date => 6,
            Opt(part) => part.longest(),
        }
    }

    /// Fewest characters it takes.
    fn shortest(&self) -> usize {
        match self {
            N(_) | Part::Check(_) | X(_) | Date => self.longest(),
            Nv(_) | Xv(_) | Y(_) | Z(_) => 1,
            Opt(_) => 0,
        }
    }

    fn allows(&self, text: &str) -> bool {
        if !(self.shortest()..=self.longest()).contains(&text.len()) {
            return false;
        }
        let digits = || text.bytes().all(|b| b.is_ascii_digit());
        match self {
            N(_) | Nv(_) => digits(),
            Part::Check(_) => digits() && check_digit_fits(text),
            Date => digits() && date_exists(text),
            X(_) | Xv(_) => text.bytes().all(in_set_82),
            Y(_) => text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || b"#-/".contains(&b)),
            Z(_) => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)),
            Opt(part) => text.is_empty() || part.allows(text),
        }
    }
}

/// The invariant character set of ISO/IEC 646, without space.
fn in_set_82(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!\"%&'()*+,-./_:;<=>?".contains(&byte)
}

/// Weights 3 and 1 from the right, the check digit itself 1: the sum is a multiple of ten.
fn check_digit_fits(digits: &str) -> bool {
    let weighted = |(place, digit): (usize, u8)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 };
    digits.bytes().rev().enumerate().map(weighted).sum::<u32>() % 10 == 0
}

fn date_exists(yymmdd: &str) -> bool {
    let number = |at: usize| yymmdd[at..at + 2].parse::<u32>().unwrap_or(99);
    let (year, month, day) = (number(0), number(2), number(4));
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        // Of the years a two-digit year can mean (51 back, 49 ahead), those divisible by four are leap years.
        2 => 28 + u32::from(year % 4 == 0),
        _ => return false,
    };
    day <= last
}

/// One identifier, or a range of them with the same form.
#[derive(Debug)]
pub(super) struct Row {
    first: &'static str,
    last: &'static str,
    /// Its length is fixed for ever, so that no separator follows it (7.8.5, figure of predefined lengths).
    pub(super) predefined: bool,
    pub(super) parts: &'static [Part],
}

impl Row {
    /// Digits of the identifier.
    pub(super) fn width(&self) -> usize {
        self.first.len()
    }

    fn names(&self, ai: &str) -> bool {
        ai.len() == self.width() && (self.first..=self.last).contains(&ai)
    }

    /// Whether a value has the identifier's form. Only the last part is of variable length.
    pub(super) fn allows(&self, value: &str) -> bool {
        let Some((last, fixed)) = self.parts.split_last() else { return false };
        let mut rest = value;
        for part in fixed {
            match (rest.get(..part.longest()), rest.get(part.longest()..)) {
                (Some(text), Some(after)) if part.allows(text) => rest = after,
                _ => return false,
            }
        }
        last.allows(rest)
    }
}

/// The row whose identifier `text` begins with. No identifier begins with another one.
pub(super) fn starting(text: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| text.get(..row.width()).is_some_and(|ai| row.names(ai)))
}

/// The row of an identifier.
pub(super) fn named(ai: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.names(ai))
}

/// The sequences of qualifiers of a Digital Link's key; `None`: it is no key.
pub(super) fn qualifiers(ai: &str) -> Option<&'static [&'static [&'static str]]> {
    KEYS.iter().find(|(key, _)| *key == ai).map(|(_, sequences)| *sequences)
}

type Sequences = &'static [&'static [&'static str]];

const KEYS: &[(&str, Sequences)] = &[
    ("00", &[]),
    ("01", &[&["22", "10", "21"], &["235"]]),
    ("253", &[]),
    ("255", &[]),
    ("401", &[]),
    ("402", &[]),
    ("414", &[&["254"], &["7040"]]),
    ("415", &[&["8020"]]),
    ("417", &[&["7040"]]),
    ("8003", &[]),
    ("8004", &[&["7040"]]),
    ("8006", &[&["22", "10", "21"]]),
    ("8010", &[&["8011"]]),
    ("8013", &[]),
    ("8017", &[&["8019"]]),
    ("8018", &[&["8019"]]),
];

/// Predefined length.
const fn fix(first: &'static str, last: &'static str, parts: &'static [Part]) -> Row {
    Row { first, last, predefined: true, parts }
}

/// Ended by FNC1 or the end of the symbol.
const fn var(first: &'static str, last: &'static str, parts: &'static [Part]) -> Row {
    Row { first, last, predefined: false, parts }
}

const ROWS: &[Row] = &[
    fix("00", "00", &[Part::Check(18)]),                 // SSCC
    fix("01", "03", &[Part::Check(14)]),                 // GTIN, content, made to order
    var("10", "10", &[Xv(20)]),                          // batch or lot
    fix("11", "13", &[Date]),                            // production, due, packaging date
    fix("15", "17", &[Date]),                            // best before, sell by, expiration date
    fix("20", "20", &[N(2)]),                            // variant
    var("21", "21", &[Xv(20)]),                          // serial number
    var("22", "22", &[Xv(20)]),                          // consumer product variant
    var("235", "235", &[Xv(28)]),                        // third-party serial extension of a GTIN
    var("240", "241", &[Xv(30)]),                        // additional identification, customer part number
    var("242", "242", &[Nv(6)]),                         // made-to-order variation
    var("243", "243", &[Xv(20)]),                        // packaging component
    var("250", "251", &[Xv(30)]),                        // secondary serial, reference to source
    var("253", "253", &[Part::Check(13), Opt(&Xv(17))]), // document type
    var("254", "254", &[Xv(20)]),                        // GLN extension
    var("255", "255", &[Part::Check(13), Opt(&Nv(12))]), // coupon number
    var("30", "30", &[Nv(8)]),                           // variable count
    fix("3100", "3105", &[N(6)]),                        // measures: the last digit places the decimal point
    fix("3110", "3115", &[N(6)]),
    fix("3120", "3125", &[N(6)]),
    fix("3130", "3135", &[N(6)]),
    fix("3140", "3145", &[N(6)]),
    fix("3150", "3155", &[N(6)]),
    fix("3160", "3165", &[N(6)]),
    fix("3200", "3205", &[N(6)]),
    fix("3210", "3215", &[N(6)]),
    fix("3220", "3225", &[N(6)]),
    fix("3230", "3235", &[N(6)]),
    fix("3240", "3245", &[N(6)]),
    fix("3250", "3255", &[N(6)]),
    fix("3260", "3265", &[N(6)]),
    fix("3270", "3275", &[N(6)]),
    fix("3280", "3285", &[N(6)]),
    fix("3290", "3295", &[N(6)]),
    fix("3300", "3305", &[N(6)]), // logistic measures
    fix("3310", "3315", &[N(6)]),
    fix("3320", "3325", &[N(6)]),
    fix("3330", "3335", &[N(6)]),
    fix("3340", "3345", &[N(6)]),
    fix("3350", "3355", &[N(6)]),
    fix("3360", "3365", &[N(6)]),
    fix("3370", "3375", &[N(6)]), // kg per m²
    fix("3400", "3405", &[N(6)]),
    fix("3410", "3415", &[N(6)]),
    fix("3420", "3425", &[N(6)]),
    fix("3430", "3435", &[N(6)]),
    fix("3440", "3445", &[N(6)]),
    fix("3450", "3455", &[N(6)]),
    fix("3460", "3465", &[N(6)]),
    fix("3470", "3475", &[N(6)]),
    fix("3480", "3485", &[N(6)]),
    fix("3490", "3495", &[N(6)]),
    fix("3500", "3505", &[N(6)]),
    fix("3510", "3515", &[N(6)]),
    fix("3520", "3525", &[N(6)]),
    fix("3530", "3535", &[N(6)]),
    fix("3540", "3545", &[N(6)]),
    fix("3550", "3555", &[N(6)]),
    fix("3560", "3565", &[N(6)]),
    fix("3570", "3575", &[N(6)]),
    fix("3600", "3605", &[N(6)]),
    fix("3610", "3615", &[N(6)]),
    fix("3620", "3625", &[N(6)]),
    fix("3630", "3635", &[N(6)]),
    fix("3640", "3645", &[N(6)]),
    fix("3650", "3655", &[N(6)]),
    fix("3660", "3665", &[N(6)]),
    fix("3670", "3675", &[N(6)]),
    fix("3680", "3685", &[N(6)]),
    fix("3690", "3695", &[N(6)]),
    var("37", "37", &[Nv(8)]),                                   // count of contained items
    var("3900", "3909", &[Nv(15)]),                              // amount, coupon value
    var("3910", "3919", &[N(3), Nv(15)]),                        // amount with ISO 4217 currency
    var("3920", "3929", &[Nv(15)]),                              // price of a variable measure item
    var("3930", "3939", &[N(3), Nv(15)]),                        // the same with currency
    var("3940", "3943", &[N(4)]),                                // percentage off
    var("3950", "3955", &[N(6)]),                                // price per unit of measure
    var("400", "400", &[Xv(30)]),                                // order number
    var("401", "401", &[Xv(30)]),                                // consignment
    var("402", "402", &[Part::Check(17)]),                       // shipment
    var("403", "403", &[Xv(30)]),                                // route
    fix("410", "417", &[Part::Check(13)]),                       // global location numbers
    var("420", "420", &[Xv(20)]),                                // ship to postal code
    var("421", "421", &[N(3), Xv(9)]),                           // the same with ISO 3166 country
    var("422", "422", &[N(3)]),                                  // country of origin
    var("423", "423", &[Nv(15)]),                                // countries of initial processing
    var("424", "424", &[N(3)]),                                  // country of processing
    var("425", "425", &[Nv(15)]),                                // countries of disassembly
    var("426", "426", &[N(3)]),                                  // country of the full process chain
    var("427", "427", &[Xv(3)]),                                 // subdivision of origin
    var("4300", "4301", &[Xv(35)]),                              // ship to: company, name
    var("4302", "4306", &[Xv(70)]),                              // ship to: address
    var("4307", "4307", &[X(2)]),                                // ship to: country
    var("4308", "4308", &[Xv(30)]),                              // ship to: telephone
    var("4309", "4309", &[N(20)]),                               // ship to: latitude and longitude
    var("4310", "4311", &[Xv(35)]),                              // return to: company, name
    var("4312", "4316", &[Xv(70)]),                              // return to: address
    var("4317", "4317", &[X(2)]),                                // return to: country
    var("4318", "4318", &[Xv(20)]),                              // return to: postal code
    var("4319", "4319", &[Xv(30)]),                              // return to: telephone
    var("4320", "4320", &[Xv(35)]),                              // service description
    var("4321", "4323", &[N(1)]),                                // flags
    var("4324", "4325", &[Date, N(4)]),                          // not before, not after
    var("4326", "4326", &[Date]),                                // release date
    var("4330", "4333", &[N(6), Opt(&X(1))]),                    // temperatures
    var("7001", "7001", &[N(13)]),                               // NATO stock number
    var("7002", "7002", &[Xv(30)]),                              // meat cut
    var("7003", "7003", &[Date, N(4)]),                          // expiration date and time
    var("7004", "7004", &[Nv(4)]),                               // active potency
    var("7005", "7005", &[Xv(12)]),                              // catch area
    var("7006", "7006", &[Date]),                                // first freeze date
    var("7007", "7007", &[Date, Opt(&Date)]),                    // harvest date or range
    var("7008", "7008", &[Xv(3)]),                               // species
    var("7009", "7009", &[Xv(10)]),                              // fishing gear
    var("7010", "7010", &[Xv(2)]),                               // production method
    var("7011", "7011", &[Date, Opt(&N(4))]),                    // test by date
    var("7020", "7022", &[Xv(20)]),                              // refurbishment
    var("7023", "7023", &[Xv(30)]),                              // assembly
    var("7030", "7039", &[N(3), Xv(27)]),                        // processors
    var("7040", "7040", &[N(1), X(3)]),                          // unique identification with extensions
    var("710", "716", &[Xv(20)]),                                // national healthcare reimbursement numbers
    var("7230", "7239", &[X(2), Xv(28)]),                        // certifications
    var("7240", "7240", &[Xv(20)]),                              // protocol
    var("7241", "7241", &[N(2)]),                                // AIDC media type
    var("7242", "7242", &[Xv(25)]),                              // version control number
    var("8001", "8001", &[N(14)]),                               // roll products
    var("8002", "8002", &[Xv(20)]),                              // mobile telephone
    var("8003", "8003", &[N(1), Part::Check(13), Opt(&Xv(16))]), // returnable asset
    var("8004", "8004", &[Xv(30)]),                              // individual asset
    var("8005", "8005", &[N(6)]),                                // price per unit
    var("8006", "8006", &[Part::Check(14), N(4)]),               // piece of a trade item
    var("8007", "8007", &[Xv(34)]),                              // IBAN
    var("8008", "8008", &[Date, N(2), Opt(&Nv(4))]),             // production date and time
    var("8009", "8009", &[Xv(50)]),                              // sensor indicator
    var("8010", "8010", &[Y(30)]),                               // component or part
    var("8011", "8011", &[Nv(12)]),                              // its serial
    var("8012", "8012", &[Xv(20)]),                              // software version
    var("8013", "8013", &[Xv(25)]),                              // global model number
    var("8017", "8018", &[Part::Check(18)]),                     // service relation
    var("8019", "8019", &[Nv(10)]),                              // service relation instance
    var("8020", "8020", &[Xv(25)]),                              // payment slip
    var("8026", "8026", &[Part::Check(14), N(4)]),               // pieces contained
    var("8030", "8030", &[Z(90)]),                               // digital signature
    var("8110", "8110", &[Xv(70)]),                              // coupon code, North America
    var("8111", "8111", &[N(4)]),                                // loyalty points
    var("8112", "8112", &[Xv(70)]),                              // paperless coupon
    var("8200", "8200", &[Xv(70)]),                              // extended packaging URL
    var("90", "90", &[Xv(30)]),                                  // mutually agreed
    var("91", "99", &[Xv(90)]),                                  // company internal
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_identifier_begins_with_another_and_every_key_has_a_row() {
        for row in ROWS {
            let hits = ROWS.iter().filter(|other| {
                let width = other.width().min(row.width());
                (&other.first[..width]..=&other.last[..width]).contains(&&row.first[..width])
            });
            assert_eq!(hits.count(), 1, "{}", row.first);
        }
        for (key, sequences) in KEYS {
            assert!(named(key).is_some(), "{key}");
            assert!(sequences.iter().copied().flatten().all(|ai| named(ai).is_some()), "{key}");
        }
    }

    #[test]
    fn what_stands_in_the_specifications_list_of_predefined_lengths_is_predefined() {
        // GS1 General Specifications, figure 7.8.5-2: first two digits and length of identifier and value together.
        let lengths = [
            ("00", 20),
            ("01", 16),
            ("02", 16),
            ("03", 16),
            ("11", 8),
            ("12", 8),
            ("13", 8),
            ("15", 8),
            ("16", 8),
            ("17", 8),
            ("20", 4),
            ("31", 10),
            ("32", 10),
            ("33", 10),
            ("34", 10),
            ("35", 10),
            ("36", 10),
            ("41", 16),
        ];
        for row in ROWS {
            let length = row.width() + row.parts.iter().map(Part::longest).sum::<usize>();
            let listed = lengths.iter().find(|(start, _)| row.first.starts_with(start));
            assert_eq!(listed.map(|(_, length)| *length), row.predefined.then_some(length), "{}", row.first);
        }
    }
}
