"""What all networks that fill windows of frames share; each adds an adapter that is a `WindowNetwork`.

The way of a window: `schedule` says which frames belong together, `regions` what part of the picture and how large it
is seen, `display` how levels are shown; the network fills; `inpainter` blends windows by weights, `rim` takes away
drift of colours, `texture` brings back what a smaller picture cannot show. Only hole pixels come back, in the plate's
own levels.
"""
