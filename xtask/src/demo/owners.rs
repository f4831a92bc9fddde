//! Who owns which frame, as a map: in the terminal and as SVG.

use pv_wire::Owners;
use std::fmt::Write;

/// Samples of a line.
const ACROSS: usize = 64;

/// Points of a sample in the picture.
const POINTS: usize = 8;

/// What stands for an owner: nobody, the hypervisor, domains 1 and on.
const LETTERS: &[u8] = b"\xb7abcdefghijklmnopqrstuvwxyz";
const COLORS: [&str; 8] =
    ["#4363d8", "#e6194b", "#3cb44b", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#9a6324"];

/// One look at the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Map(pub Vec<u8>);

/// The looks that are whole, in order.
pub fn maps(records: &[Owners]) -> Vec<Map> {
    let mut maps = Vec::new();
    let mut map = Map::default();
    for record in records {
        if record.first == 0 {
            map.0.clear();
        }
        map.0.extend(&record.owners);
        if map.0.len() == record.samples as usize {
            maps.push(std::mem::take(&mut map));
        }
    }
    maps
}

impl Map {
    /// Samples that each owner has, by the byte that stands for it.
    pub fn count(&self, owner: u8) -> usize {
        self.0.iter().filter(|found| **found == owner).count()
    }

    /// Lines of the terminal: a letter for each domain, a dot for nobody, a bar for the hypervisor.
    pub fn lines(&self) -> Vec<String> {
        let letter = |owner: &u8| match owner {
            0 => '·',
            255 => '|',
            domain => char::from(LETTERS[1 + (usize::from(*domain) - 1) % 26]),
        };
        self.0.chunks(ACROSS).map(|line| line.iter().map(letter).collect()).collect()
    }
}

fn color(owner: u8) -> &'static str {
    match owner {
        0 => "#f4f4f4",
        255 => "#303030",
        domain => COLORS[(usize::from(domain) - 1) % COLORS.len()],
    }
}

/// Maps side by side, each with its title; `names` are of domains 1 and on.
pub fn svg(maps: &[(&str, &Map)], names: &[String]) -> String {
    let rows = maps.iter().map(|(_, map)| map.0.len().div_ceil(ACROSS)).max().unwrap_or(0);
    let (width, gap, top) = (ACROSS * POINTS, 24, 28);
    let legend = 22 * (names.len() + 2) + 12;
    let (across, down) = (maps.len() * (width + gap) + gap, top + rows * POINTS + legend);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{across}\" height=\"{down}\" \
         font-family=\"sans-serif\" font-size=\"14\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    );
    for (index, (title, map)) in maps.iter().enumerate() {
        let left = gap + index * (width + gap);
        let _ = write!(svg, "<text x=\"{left}\" y=\"20\">{title}</text>");
        for (place, owner) in map.0.iter().enumerate() {
            let (x, y) = (left + place % ACROSS * POINTS, top + place / ACROSS * POINTS);
            let fill = color(*owner);
            let _ = write!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{POINTS}\" height=\"{POINTS}\" fill=\"{fill}\"/>"
            );
        }
    }
    let known = names.iter().enumerate().map(|(index, name)| (index as u8 + 1, name.as_str()));
    let all = known.chain([(0, "nobody"), (255, "the hypervisor, or no memory")]);
    for (line, (owner, name)) in all.enumerate() {
        let y = top + rows * POINTS + 12 + line * 22;
        let fill = color(owner);
        let _ = write!(
            svg,
            "<rect x=\"{gap}\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"{fill}\" stroke=\"#888\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            gap + 22,
            y + 12
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(first: u32, owners: &[u8]) -> Owners {
        let owners = owners.iter().copied().collect();
        Owners { look: 0, first, samples: 4, owners }
    }

    #[test]
    fn looks_are_put_together_and_half_ones_left_out() {
        let records = [record(0, &[1, 2]), record(2, &[0, 255]), record(0, &[1])];
        let maps = maps(&records);
        assert_eq!(maps, [Map(vec![1, 2, 0, 255])]);
        assert_eq!(maps[0].lines(), ["ab·|"]);
        assert_eq!((maps[0].count(1), maps[0].count(7)), (1, 0));
        let svg = svg(&[("then", &maps[0])], &["one".into(), "two".into()]);
        assert!(svg.contains("<text x=\"24\" y=\"20\">then</text>") && svg.ends_with("</svg>\n"));
    }
}
