//! A shape for each verdict, so that nobody has to tell colours apart.

use maud::Markup;
use maud::html;

use crate::assessment::verdict::Verdict;

/// Where a page expects the picture beside its title, seen from the root.
pub fn icon_path(verdict: Verdict) -> String {
    format!("icons/{}.svg", verdict.code())
}

/// What a browser shows beside the title.
pub fn icon(verdict: Verdict) -> String {
    let (shape, mark) = paths(verdict);
    let colour = match verdict {
        Verdict::Recoverable => "#1f7a43",
        Verdict::AtRisk => "#a85f00",
        Verdict::Unknown => "#6b3fa0",
        Verdict::Unrecoverable => "#b3261e",
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">\
         <path fill=\"{colour}\" d=\"{shape}\"/><path fill=\"none\" stroke=\"#fff\" \
         stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" d=\"{mark}\"/></svg>"
    )
}

/// Once on each page, for [`glyph`].
pub(super) fn symbols() -> Markup {
    html! {
        svg.symbols width="0" height="0" aria-hidden="true" focusable="false" {
            @for verdict in Verdict::ALL {
                @let (shape, mark) = paths(verdict);
                symbol id={ "glyph-" (verdict.code()) } viewBox="0 0 16 16" {
                    path.shape d=(shape) {}
                    path.mark d=(mark) {}
                }
            }
        }
    }
}

/// Says nothing to those who cannot see it: the word stands beside it.
pub(super) fn glyph(verdict: Verdict) -> Markup {
    html! {
        svg.glyph width="16" height="16" aria-hidden="true" focusable="false" {
            use href={ "#glyph-" (verdict.code()) } {}
        }
    }
}

/// Disc, triangle, square, octagon, and what is drawn on it.
const fn paths(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Recoverable => ("M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Z", "m4.5 8.2 2.4 2.4 4.6-5"),
        Verdict::AtRisk => ("M8 .5 16 15.5H0Z", "M8 6v4.2M8 13v.1"),
        Verdict::Unknown => (
            "M2.5 0h11A2.5 2.5 0 0 1 16 2.5v11a2.5 2.5 0 0 1-2.5 2.5h-11A2.5 2.5 0 0 1 0 13.5v-11A2.5 2.5 0 0 1 2.5 0Z",
            "M5.6 5.8a2.4 2.4 0 1 1 3.4 2.2q-1 .5-1 1.6M8 12.6v.1",
        ),
        Verdict::Unrecoverable => ("M5 0h6l5 5v6l-5 5H5l-5-5V5Z", "m5.2 5.2 5.6 5.6m0-5.6-5.6 5.6"),
    }
}
