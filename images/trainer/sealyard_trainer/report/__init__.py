"""report.html: collect what a run left, as plain values; draw it; write it as one page.

`model` holds the values. `pictures`, `dataset`, `augmentation`, `predictions`, `evaluation`,
`curves`, `machine` collect them; `charts` and `page` turn them into SVG and HTML and read nothing.
`making` does all of it for a run, `preview` the dataset's part of it without one.
"""
