//! Metric math of `CloudWatch`, as far as the template uses it. What is not known is an error, never a guess.

use std::collections::BTreeMap;

/// The value of each metric in one period. A metric without data in it is missing.
pub(crate) type Values = BTreeMap<String, f64>;

/// The value of an expression in one period; `None` if there is none, as after a division by zero.
pub(crate) fn evaluate(expression: &str, values: &Values) -> Result<Option<f64>, String> {
    let mut parser = Parser { tokens: tokens(expression)?, at: 0, values };
    let value = parser.either()?;
    match parser.next() {
        None => Ok(value),
        Some(token) => Err(format!("{expression}: {token} is not understood")),
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let mut token = char.to_string();
        match char {
            ' ' => continue,
            '(' | ')' | ',' | '+' | '-' | '*' | '/' => {}
            '<' | '>' | '=' | '!' => {
                while chars.peek() == Some(&'=') {
                    token.extend(chars.next());
                }
            }
            _ if char.is_ascii_alphanumeric() => {
                while chars.peek().is_some_and(|it| it.is_ascii_alphanumeric() || "._".contains(*it)) {
                    token.extend(chars.next());
                }
            }
            _ => return Err(format!("{text}: {char} is not understood")),
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<String>,
    at: usize,
    values: &'a Values,
}

type Value = Result<Option<f64>, String>;

impl Parser<'_> {
    fn next(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Takes the next token if it is one of these.
    fn take(&mut self, any: &[&str]) -> Option<String> {
        let is_it = self.tokens.get(self.at).is_some_and(|token| any.contains(&token.as_str()));
        if is_it { self.next() } else { None }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        self.take(&[token]).map(drop).ok_or_else(|| format!("{token} is missing in {:?}", self.tokens))
    }

    /// A row of operators of one rank, from left to right. An operation with what is missing has no result.
    fn operations(
        &mut self,
        operators: &[&str],
        part: fn(&mut Self) -> Value,
        apply: fn(&str, f64, f64) -> Option<f64>,
    ) -> Value {
        let mut left = part(self)?;
        while let Some(operator) = self.take(operators) {
            let right = part(self)?;
            left = left.zip(right).and_then(|(left, right)| apply(&operator, left, right));
        }
        Ok(left)
    }

    fn either(&mut self) -> Value {
        self.operations(&["OR"], Self::both, |_, left, right| Some(truth(left != 0.0 || right != 0.0)))
    }

    fn both(&mut self) -> Value {
        self.operations(&["AND"], Self::comparison, |_, left, right| Some(truth(left != 0.0 && right != 0.0)))
    }

    fn comparison(&mut self) -> Value {
        self.operations(&["==", "!=", "<", "<=", ">", ">="], Self::sum, |operator, left, right| {
            Some(truth(match operator {
                "==" => left == right,
                "!=" => left != right,
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            }))
        })
    }

    fn sum(&mut self) -> Value {
        self.operations(&["+", "-"], Self::product, |operator, left, right| {
            Some(if operator == "+" { left + right } else { left - right })
        })
    }

    fn product(&mut self) -> Value {
        self.operations(&["*", "/"], Self::operand, |operator, left, right| match operator {
            "*" => Some(left * right),
            _ => (right != 0.0).then(|| left / right),
        })
    }

    fn operand(&mut self) -> Value {
        let token = self.next().ok_or("an operand is missing")?;
        if token == "(" {
            let value = self.either()?;
            self.expect(")")?;
            return Ok(value);
        }
        if let Ok(number) = token.parse() {
            return Ok(Some(number));
        }
        if self.take(&["("]).is_none() {
            return Ok(self.values.get(&token).copied());
        }
        let value = self.function(&token)?;
        self.expect(")")?;
        Ok(value)
    }

    fn function(&mut self, name: &str) -> Value {
        match name {
            "FILL" => {
                let value = self.either()?;
                self.expect(",")?;
                Ok(value.or(self.either()?))
            }
            "IF" => {
                let condition = self.either()?;
                self.expect(",")?;
                let yes = self.either()?;
                self.expect(",")?;
                let no = self.either()?;
                Ok(condition.and_then(|it| if it == 0.0 { no } else { yes }))
            }
            "SUM" | "MAX" => {
                for token in ["METRICS", "(", ")"] {
                    self.expect(token)?;
                }
                let values = self.values.values().copied();
                Ok(if name == "SUM" { values.reduce(|one, other| one + other) } else { values.reduce(f64::max) })
            }
            _ => Err(format!("the function {name} is not understood")),
        }
    }
}

fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

#[test]
fn metric_math_is_read_as_cloudwatch_reads_it() {
    let values: Values = [("a", 6.0), ("b", 3.0), ("zero", 0.0)].map(|(name, value)| (name.to_owned(), value)).into();
    for (expression, expected) in [
        ("a", Some(6.0)),
        ("missing", None),
        ("a + 2 * b", Some(12.0)),
        ("(a + 2) * b", Some(24.0)),
        ("a - b - 1", Some(2.0)),
        ("a / 3600", Some(6.0 / 3600.0)),
        ("a / zero", None),
        ("a + missing", None),
        ("FILL(missing, 0) + a", Some(6.0)),
        ("100 * FILL(a, 0) / (FILL(a, 0) + FILL(missing, 0))", Some(100.0)),
        ("FILL(missing, 0) / FILL(missing, 0)", None),
        ("IF(a > 0 AND FILL(missing, 0) == 0, 1, 0)", Some(1.0)),
        ("IF(b >= 4 OR zero != 0, 1, 0)", Some(0.0)),
        ("IF(missing, 1, 0)", None),
        ("SUM(METRICS())", Some(9.0)),
        ("MAX(METRICS())", Some(6.0)),
    ] {
        assert_eq!(evaluate(expression, &values), Ok(expected), "{expression}");
    }
    assert_eq!(evaluate("SUM(METRICS())", &Values::new()), Ok(None));
    for unknown in ["a +", "a b", "a % b", "RATE(a)", "SUM([a, b])", "FILL(a)", "(a"] {
        assert!(evaluate(unknown, &values).is_err(), "{unknown}");
    }
}
