"""What AOT and DeAOT share: encoders, identity bank, decoder, memories and the walk along a shot."""
